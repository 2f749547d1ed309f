//! The error type of fetching.

use std::fmt;
use std::time::Duration;

use super::reported::GraphQlError;
use crate::auth::token_error::TokenError;
use crate::source::config::ConfigError;

/// What was being attempted when something failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The source that was asked.
    pub source: String,
    /// What for, such as "page 3 of clients".
    pub what: String,
    /// How often it was tried.
    pub tries: u32,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asking `{}` for {}", self.source, self.what)?;
        match self.tries {
            0 | 1 => Ok(()),
            tries => write!(f, " ({tries} tries)"),
        }
    }
}

/// What a failure means for the run, and so for its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It may pass on its own or after logging in again: try later.
    Waiting,
    /// It will fail again until somebody changes something.
    Failed,
    /// Pages were read, but the read is incomplete.
    Partial,
}

/// Why a request has no usable response, and what was being attempted.
#[derive(Debug)]
pub struct FetchError {
    /// What was being attempted.
    pub attempt: Attempt,
    /// What went wrong.
    pub kind: FetchErrorKind,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FetchError { attempt, kind } = self;
        write!(f, "{attempt}: {kind}")?;
        match kind {
            FetchErrorKind::Unauthorized { .. } => write!(
                f,
                " Renew the key, or log in again with `concord source login {}`.",
                attempt.source
            ),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for FetchError {
    /// The kind is part of this error's own text, so the chain continues with the kind's source.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.kind.source()
    }
}

/// Why a request has no usable response: the cause, without what was attempted.
#[derive(Debug, thiserror::Error)]
pub enum FetchErrorKind {
    /// No connection, or it broke.
    #[error(
        "the source could not be reached, or the connection broke. It is tried again by the next run; if this lasts, check the address and the network."
    )]
    Unreachable {
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// The certificate or the TLS version was refused.
    #[error(
        "the source's TLS certificate or version was not accepted ({detail}). Ask whoever runs the source to renew it, or correct the endpoint's host name."
    )]
    Untrusted {
        /// What is wrong with it.
        detail: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// The answer took too long.
    #[error("no complete answer within {} s{}. It is tried again by the next run; a smaller `paging.size` or a larger `timeout_seconds` helps if this lasts.", limit.as_secs(), crawling(*pace))]
    TooSlow {
        /// The time allowed.
        limit: Duration,
        /// Bytes per second, where that was too few to wait any longer.
        pace: Option<u64>,
    },
    /// The source is up but does not answer properly: 5xx, a maintenance page, half an answer.
    #[error(
        "the source is not working properly (HTTP {status}): {cause}. It is tried again by the next run; if this lasts, ask whoever runs the source."
    )]
    Outage {
        /// The HTTP status.
        status: u16,
        /// What came instead of an answer.
        cause: String,
        /// How long the source asked us to wait.
        wait: Option<Duration>,
    },
    /// The source accepted the query and failed while executing it.
    #[error(
        "the source failed while answering: {}. It may pass; if the next run fails too, try a smaller `paging.size` and show this to whoever runs the source.",
        list(errors)
    )]
    Crashed {
        /// What the source says.
        errors: Vec<GraphQlError>,
        /// Whether the error is the source's own, by its code or text.
        internal: bool,
    },
    /// The source asks us to slow down.
    #[error(
        "the source asks to slow down ({cause}){}. The next run continues here; lower `rate.per_second` if this happens often.",
        until(*wait)
    )]
    Throttled {
        /// The source's message.
        cause: String,
        /// How long the source asked us to wait.
        wait: Option<Duration>,
    },
    /// The circuit breaker is open: the source failed too often and is not asked for a while.
    #[error(
        "not asked. The circuit breaker is open since {since:.0}, because the source failed repeatedly: {cause}. Next try after {until:.0}; the next run then begins with one request."
    )]
    BreakerOpen {
        /// Since when.
        since: jiff::Timestamp,
        /// When it is asked again at the earliest.
        until: jiff::Timestamp,
        /// What it answered last.
        cause: String,
    },
    /// The credentials were refused, after one refresh where they can be refreshed.
    #[error("the source refused the credentials (HTTP {status}: {cause}).")]
    Unauthorized {
        /// The HTTP status.
        status: u16,
        /// The source's message.
        cause: String,
    },
    /// No usable token.
    #[error("no usable access token. {cause}")]
    Token {
        /// Why.
        #[source]
        cause: TokenError,
    },
    /// The request itself was refused.
    #[error(
        "the source refused the request (HTTP {status}): {cause}. Check the endpoint and what the account may read."
    )]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The source's message.
        cause: String,
    },
    /// The source understood the request and refused the query.
    #[error("the source refused the query: {}. {}", list(errors), remedy(errors))]
    Query {
        /// What the source says.
        errors: Vec<GraphQlError>,
    },
    /// The source no longer accepts the cursor we resumed from.
    #[error(
        "the source does not take the cursor `{cursor}` any more: {}. Read the stream again from its beginning.",
        list(errors)
    )]
    CursorRefused {
        /// The cursor.
        cursor: String,
        /// What the source says.
        errors: Vec<GraphQlError>,
    },
    /// The answer is well-formed, but what the module names is not in it.
    #[error("{problem}. Correct the paths in the module's `fetch` part, or its query.")]
    Shape {
        /// What is missing or of the wrong kind.
        problem: String,
    },
    /// The cursor repeats: the pages form a loop.
    #[error(
        "the source says there is more, but page {page} leads back to the cursor `{cursor}`. Nothing after it was read; report this to whoever runs the source, and try another sort order or page size."
    )]
    Loop {
        /// The repeated cursor.
        cursor: String,
        /// The page that repeated it.
        page: u32,
    },
    /// The answer is larger than allowed.
    #[error(
        "the answer is larger than {limit} bytes. Ask for smaller pages with `paging.size`, or raise `max_body_bytes`."
    )]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// A decompression bomb.
    #[error(
        "the answer unpacks to {ratio} times its size and was cut off. Nothing of it was used; tell whoever runs the source."
    )]
    Bomb {
        /// How many times its size.
        ratio: usize,
    },
    /// The source's host name resolves to a private address.
    #[error(
        "{problem}. Nothing was sent. Correct the endpoint, or set `allow_private = true` if the source is on your own network."
    )]
    Forbidden {
        /// What it resolves to.
        problem: String,
    },
    /// The source cannot be asked as it is configured.
    #[error("{cause}")]
    Config {
        /// Why.
        #[source]
        cause: Box<ConfigError>,
    },
}

fn crawling(pace: Option<u64>) -> String {
    pace.map(|pace| format!(", coming at {pace} bytes a second"))
        .unwrap_or_default()
}

fn until(wait: Option<Duration>) -> String {
    match wait {
        Some(wait) if wait.as_secs() > 0 => format!(" and to wait {} s", wait.as_secs()),
        _ => String::new(),
    }
}

fn remedy(errors: &[GraphQlError]) -> &'static str {
    let about = |complaint: fn(&GraphQlError) -> bool| errors.iter().any(complaint);
    if about(GraphQlError::is_about_depth) {
        return "The query goes deeper than the source allows: read its deepest connection with a query of its own (`nested` in module.yaml), or leave out what the mapping does not use.";
    }
    if about(GraphQlError::is_about_size) {
        return "It is too much even one record at a time: ask for less within a record and read the rest of its connections with `nested` in module.yaml, or leave out what the mapping does not use.";
    }
    "Correct the module's query; `concord module check` compares it with the source's schema."
}

fn list(errors: &[GraphQlError]) -> String {
    let shown: Vec<String> = errors.iter().take(3).map(ToString::to_string).collect();
    match errors.len().saturating_sub(3) {
        0 => shown.join("; "),
        more => format!("{}; and {more} more", shown.join("; ")),
    }
}

impl FetchError {
    /// A failure of this kind during an attempt.
    pub fn new(attempt: Attempt, kind: FetchErrorKind) -> Self {
        FetchError { attempt, kind }
    }

    /// Whether asking again, unchanged, may succeed.
    pub fn is_transient(&self) -> bool {
        match &self.kind {
            FetchErrorKind::Unreachable { .. }
            | FetchErrorKind::TooSlow { .. }
            | FetchErrorKind::Outage { .. }
            | FetchErrorKind::Crashed { .. }
            | FetchErrorKind::Throttled { .. } => true,
            FetchErrorKind::Token { cause, .. } => cause.is_transient(),
            // The next run may succeed, but the source must not be asked now.
            FetchErrorKind::BreakerOpen { .. }
            | FetchErrorKind::Untrusted { .. }
            | FetchErrorKind::Unauthorized { .. }
            | FetchErrorKind::Refused { .. }
            | FetchErrorKind::Query { .. }
            | FetchErrorKind::CursorRefused { .. }
            | FetchErrorKind::Shape { .. }
            | FetchErrorKind::Loop { .. }
            | FetchErrorKind::TooLarge { .. }
            | FetchErrorKind::Bomb { .. }
            | FetchErrorKind::Forbidden { .. }
            | FetchErrorKind::Config { .. } => false,
        }
    }

    /// What the failure means for the run.
    pub fn class(&self) -> Class {
        match &self.kind {
            FetchErrorKind::Unauthorized { .. }
            | FetchErrorKind::Token { .. }
            | FetchErrorKind::BreakerOpen { .. } => Class::Waiting,
            FetchErrorKind::CursorRefused { .. } => Class::Partial,
            // It was retried within the run. An unknown error text then needs a person.
            FetchErrorKind::Crashed {
                internal: false, ..
            } => Class::Failed,
            _ if self.is_transient() => Class::Waiting,
            _ => Class::Failed,
        }
    }

    /// Whether the source may accept a smaller page.
    pub(crate) fn is_about_size(&self) -> bool {
        match &self.kind {
            FetchErrorKind::Refused { status, .. } => matches!(status, 400 | 413 | 414),
            FetchErrorKind::TooLarge { .. } => true,
            FetchErrorKind::Query { errors, .. } => {
                errors.iter().any(GraphQlError::is_about_size)
                    && !errors.iter().any(GraphQlError::is_about_depth)
            }
            _ => false,
        }
    }

    /// Whether the source may accept a query with less depth.
    pub(crate) fn is_about_depth(&self) -> bool {
        matches!(&self.kind, FetchErrorKind::Query { errors, .. } if errors.iter().any(GraphQlError::is_about_depth))
    }

    /// Whether it is about the source's health, and not about our query or credentials.
    pub(crate) fn is_of_the_source(&self) -> bool {
        matches!(
            &self.kind,
            FetchErrorKind::Unreachable { .. }
                | FetchErrorKind::TooSlow { .. }
                | FetchErrorKind::Outage { .. }
                | FetchErrorKind::Throttled { .. }
        )
    }

    /// A short form of the cause, without the attempt.
    pub(crate) fn cause_alone(&self) -> String {
        match &self.kind {
            FetchErrorKind::Unreachable { .. } => "it could not be reached".to_owned(),
            FetchErrorKind::TooSlow { .. } => "it answered too slowly".to_owned(),
            FetchErrorKind::Outage { status, .. } => format!("HTTP {status}"),
            FetchErrorKind::Throttled { .. } => "it went on asking to slow down".to_owned(),
            _ => self.to_string(),
        }
    }

    /// How long the source asked us to wait.
    pub fn asked_wait(&self) -> Option<Duration> {
        match &self.kind {
            FetchErrorKind::Outage { wait, .. } | FetchErrorKind::Throttled { wait, .. } => *wait,
            _ => None,
        }
    }
}
