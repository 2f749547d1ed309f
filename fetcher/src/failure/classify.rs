//! Classifies responses. The body decides, not the status.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Attempt, FetchError, FetchErrorKind};
use super::redactor::Redactor;
use super::reported::{GraphQlError, SentError};
use crate::source::limits::hints::{Hints, PointsHint};

/// An HTTP response.
pub(crate) struct Raw {
    pub status: u16,
    pub html: bool,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// A GraphQL response: the part of `data` that was asked for, and the errors.
pub(crate) struct Answer<T> {
    /// `None` where `data`, or the path in it, is absent or null.
    pub data: Option<T>,
    pub errors: Vec<GraphQlError>,
}

/// The envelope parts that decide, borrowed from the body.
#[derive(Deserialize)]
pub(crate) struct Rest<'a> {
    #[serde(borrow, default)]
    pub errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub extensions: Option<&'a RawValue>,
}

/// A parsed body: the requested part, and the rest as raw JSON.
pub(crate) struct Found<'a, T> {
    pub data: Option<T>,
    /// Whether it is a GraphQL response, with `data` or `errors`.
    pub envelope: bool,
    pub rest: Rest<'a>,
}

/// Turns a response into data, data with holes, or the error that names its cause.
pub(crate) fn classify<T>(
    raw: &Raw,
    attempt: &Attempt,
    cursor: Option<&str>,
    redactor: &Redactor,
    hints: &mut Hints,
    read: impl for<'a> FnOnce(&'a Bytes) -> Result<Found<'a, T>, serde_json::Error>,
) -> Result<Answer<T>, FetchError> {
    let sorter = Sorter {
        raw,
        attempt,
        cursor,
        redactor,
    };
    if raw.status == 401 {
        return Err(sorter.unauthorized(sorter.words()));
    }
    let read = match read(&raw.body) {
        Ok(found) if found.envelope => found,
        Ok(_) => return Err(sorter.no_envelope(Unusable::NoEnvelope)),
        Err(fault) if fault.is_data() => return Err(sorter.no_envelope(Unusable::NoObject)),
        Err(fault) if fault.is_eof() && !raw.body.is_empty() => {
            return Err(sorter.no_envelope(Unusable::CutOff));
        }
        Err(_) if raw.html => return Err(sorter.no_envelope(Unusable::WebPage)),
        Err(_) => return Err(sorter.no_envelope(Unusable::NotJson)),
    };
    if let Some(extensions) = read.rest.extensions {
        hints.add_extensions(extensions.get());
    }
    let errors = sorter.errors(read.rest.errors);
    if let Some(failure) = sorter.by_code(&errors, &read, hints) {
        return Err(failure);
    }
    match read.data {
        Some(data) if (200..300).contains(&raw.status) => Ok(Answer {
            data: Some(data),
            errors,
        }),
        _ if errors.is_empty() && (200..300).contains(&raw.status) => {
            Ok(Answer { data: None, errors })
        }
        _ if errors.is_empty() || raw.status >= 500 || raw.status == 429 => {
            Err(sorter.no_envelope(Unusable::NoData))
        }
        _ => Err(sorter.refused(errors)),
    }
}

/// What came in place of a GraphQL response.
#[derive(Clone, Copy)]
enum Unusable {
    NoEnvelope,
    NoObject,
    CutOff,
    WebPage,
    NotJson,
    NoData,
}

impl Unusable {
    fn text(self) -> &'static str {
        match self {
            Self::NoEnvelope => "a JSON document without `data` and `errors`",
            Self::NoObject => "JSON that is not an object",
            Self::CutOff => "half an answer",
            Self::WebPage => "a web page instead of an answer",
            Self::NotJson => "something that is not JSON",
            Self::NoData => "no data",
        }
    }
}

struct Sorter<'a> {
    raw: &'a Raw,
    attempt: &'a Attempt,
    cursor: Option<&'a str>,
    redactor: &'a Redactor,
}

impl Sorter<'_> {
    /// An excerpt of the body.
    fn words(&self) -> String {
        self.redactor
            .excerpt(&String::from_utf8_lossy(&self.raw.body))
    }

    /// A failure without a GraphQL envelope: the status decides.
    fn no_envelope(&self, what: Unusable) -> FetchError {
        let (status, wait) = (self.raw.status, self.raw.retry_after);
        let words = self.words();
        let cause = match words.as_str() {
            "" => "an empty answer".to_owned(),
            _ => format!("{}: “{words}”", what.text()),
        };
        let outage = |cause| FetchErrorKind::Outage {
            status,
            cause,
            wait,
        };
        let no_graphql = matches!(what, Unusable::NoEnvelope | Unusable::NoObject);
        let kind = match status {
            // A refusal with `Retry-After` is a rate limit, not a refusal of this account.
            429 | 403 if status == 429 || wait.is_some() => FetchErrorKind::Throttled {
                cause: format!("HTTP {status}, {cause}"),
                wait,
            },
            300..=399 => FetchErrorKind::Refused {
                status,
                cause: "it redirects to another address, which is not followed".to_owned(),
            },
            408 | 425 | 500..=599 => outage(cause),
            400..=499 => FetchErrorKind::Refused { status, cause },
            _ if no_graphql => FetchErrorKind::Shape {
                problem: format!("the answer is {cause}"),
            },
            _ => outage(cause),
        };
        FetchError::new(self.attempt.clone(), kind)
    }

    fn unauthorized(&self, cause: String) -> FetchError {
        FetchError::new(
            self.attempt.clone(),
            FetchErrorKind::Unauthorized {
                status: self.raw.status,
                cause,
            },
        )
    }

    /// The list of errors; a value that is not a list counts as one error.
    fn errors(&self, sent: Option<&RawValue>) -> Vec<GraphQlError> {
        let Some(sent) = sent.filter(|raw| raw.get() != "null") else {
            return Vec::new();
        };
        let Ok(entries) = serde_json::from_str::<Vec<SentError>>(sent.get()) else {
            let message = self.redactor.excerpt(sent.get());
            return vec![GraphQlError {
                message,
                ..GraphQlError::default()
            }];
        };
        let entries = entries.into_iter().take(1000);
        entries
            .map(|entry| GraphQlError {
                message: self.redactor.excerpt(&entry.message.unwrap_or_default()),
                located: entry.locations.is_some_and(|places| !places.is_empty()),
                path: dotted(&entry.path.unwrap_or_default()),
                code: entry
                    .extensions
                    .and_then(|e| e.code)
                    .or(entry.kind)
                    .map(|code| match code {
                        serde_json::Value::String(code) => self.redactor.excerpt(&code),
                        other => self.redactor.excerpt(&other.to_string()),
                    }),
            })
            .collect()
    }

    /// Errors whose code alone decides. A denial next to data is about one field: that is a hole.
    fn by_code<T>(
        &self,
        errors: &[GraphQlError],
        read: &Found<'_, T>,
        hints: &Hints,
    ) -> Option<FetchError> {
        let decides =
            |error: &&GraphQlError| throttles(error) || (read.data.is_none() && denies(error));
        let error = errors.iter().find(decides)?;
        if denies(error) {
            return Some(self.unauthorized(error.to_string()));
        }
        let wait = hints
            .points
            .as_ref()
            .and_then(PointsHint::wait)
            .or(self.raw.retry_after);
        Some(FetchError::new(
            self.attempt.clone(),
            FetchErrorKind::Throttled {
                cause: error.to_string(),
                wait,
            },
        ))
    }

    /// Errors and no data: the cursor, a crash inside the source, or the query.
    fn refused(&self, errors: Vec<GraphQlError>) -> FetchError {
        let attempt = self.attempt.clone();
        let about_cursor = |error: &GraphQlError| error.message.to_lowercase().contains("cursor");
        if let Some(cursor) = self.cursor
            && errors.iter().any(about_cursor)
        {
            let cursor = self.redactor.excerpt(cursor);
            return FetchError::new(attempt, FetchErrorKind::CursorRefused { cursor, errors });
        }
        let limited = |error: &GraphQlError| error.is_about_size() || error.is_about_depth();
        let ours = errors.iter().any(limited);
        match self.raw.status < 400 && !ours && errors.iter().any(crashed) {
            true => FetchError::new(
                attempt,
                FetchErrorKind::Crashed {
                    internal: errors.iter().any(internal),
                    errors,
                },
            ),
            false => FetchError::new(attempt, FetchErrorKind::Query { errors }),
        }
    }
}

fn dotted(path: &[serde_json::Value]) -> String {
    let names = path.iter().map(|segment| match segment {
        serde_json::Value::String(name) => name.clone(),
        other => other.to_string(),
    });
    names.collect::<Vec<_>>().join(".")
}

fn code_in(error: &GraphQlError, codes: &[&str]) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    codes.iter().any(|known| code.eq_ignore_ascii_case(known))
}

fn throttles(error: &GraphQlError) -> bool {
    code_in(
        error,
        &[
            "THROTTLED",
            "RATE_LIMITED",
            "RATELIMITED",
            "RATE_LIMIT_EXCEEDED",
            "TOO_MANY_REQUESTS",
            "429",
        ],
    )
}

fn denies(error: &GraphQlError) -> bool {
    code_in(error, &["UNAUTHENTICATED", "UNAUTHORIZED", "401"])
}

/// Codes of errors inside a source.
const INTERNAL_CODES: [&str; 9] = [
    "INTERNAL_SERVER_ERROR",
    "INTERNAL_ERROR",
    "INTERNAL",
    "SERVICE_UNAVAILABLE",
    "TIMEOUT",
    "500",
    "502",
    "503",
    "504",
];

/// Texts of errors inside a source, as opposed to errors in the query.
const INTERNAL_WORDS: [&str; 12] = [
    "undefined method",
    "undefined local variable",
    "nilclass",
    "cannot read propert",
    "is not a function",
    "nullpointer",
    "null reference",
    "internal error",
    "internal server error",
    "something went wrong",
    "unexpected error",
    "exception",
];

/// An error that arose while executing, and not from the query or the caller's rights.
fn crashed(error: &GraphQlError) -> bool {
    match &error.code {
        Some(_) => code_in(error, &INTERNAL_CODES),
        None => !error.path.is_empty() || !error.located,
    }
}

/// An error inside the source: it passes when the source is fixed, or on a retry.
fn internal(error: &GraphQlError) -> bool {
    let message = error.message.to_lowercase();
    code_in(error, &INTERNAL_CODES) || INTERNAL_WORDS.iter().any(|words| message.contains(words))
}
