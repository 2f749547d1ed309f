//! Sorts what came back. The body decides, not the status.

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{Attempt, FetchError, FetchErrorKind};
use super::redactor::Redactor;
use super::reported::{GraphQlError, SentError};
use crate::source::limits::hints::{Hints, PointsHint};

/// What came back over HTTP.
pub(crate) struct Raw {
    pub status: u16,
    pub html: bool,
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

/// A GraphQL answer: what the question wanted from `data`, and what the source says went wrong.
pub(crate) struct Answer<T> {
    /// `None` where `data`, or the place asked for in it, is absent or null.
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

/// What a reader found in a body: the wanted part and the raw rest.
pub(crate) struct Found<'a, T> {
    pub data: Option<T>,
    /// Whether a GraphQL envelope was recognised: `data` or `errors` stood in it.
    pub envelope: bool,
    pub rest: Rest<'a>,
}

/// Turns a raw answer into data, data with holes, or the one error that names its cause.
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
        Ok(_) => return Err(sorter.no_envelope("a JSON document without `data` and `errors`")),
        Err(fault) if fault.is_data() => {
            return Err(sorter.no_envelope("JSON that is not an object"));
        }
        Err(fault) if fault.is_eof() && !raw.body.is_empty() => {
            return Err(sorter.no_envelope("half an answer"));
        }
        Err(_) if raw.html => return Err(sorter.no_envelope("a web page instead of an answer")),
        Err(_) => return Err(sorter.no_envelope("something that is not JSON")),
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
            Err(sorter.no_envelope("no data"))
        }
        _ => Err(sorter.refused(errors)),
    }
}

struct Sorter<'a> {
    raw: &'a Raw,
    attempt: &'a Attempt,
    cursor: Option<&'a str>,
    redactor: &'a Redactor,
}

impl Sorter<'_> {
    /// The body's own words.
    fn words(&self) -> String {
        self.redactor
            .excerpt(&String::from_utf8_lossy(&self.raw.body))
    }

    /// A failure without a GraphQL envelope: now the status decides.
    fn no_envelope(&self, what: &str) -> FetchError {
        let (attempt, status, wait) = (self.attempt.clone(), self.raw.status, self.raw.retry_after);
        let words = self.words();
        let cause = match words.as_str() {
            "" => "an empty answer".to_owned(),
            _ => format!("{what}: “{words}”"),
        };
        match status {
            // A refusal that names a time to come back is no refusal of this account.
            429 | 403 if status == 429 || wait.is_some() => FetchError::new(
                attempt,
                FetchErrorKind::Throttled {
                    cause: format!("HTTP {status}, {cause}"),
                    wait,
                },
            ),
            300..=399 => FetchError::new(
                attempt,
                FetchErrorKind::Refused {
                    status,
                    cause: "it redirects to another address, which is not followed".to_owned(),
                },
            ),
            408 | 425 | 500..=599 => FetchError::new(
                attempt,
                FetchErrorKind::Outage {
                    status,
                    cause,
                    wait,
                },
            ),
            400..=499 => FetchError::new(attempt, FetchErrorKind::Refused { status, cause }),
            _ if what.contains("without `data`") || what.contains("not an object") => {
                FetchError::new(
                    attempt,
                    FetchErrorKind::Shape {
                        problem: format!("the answer is {cause}"),
                    },
                )
            }
            _ => FetchError::new(
                attempt,
                FetchErrorKind::Outage {
                    status,
                    cause,
                    wait,
                },
            ),
        }
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

    /// The list of errors; one that is not a list still counts as one error.
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

    /// Codes that decide by themselves. A denial beside data concerns one field: that is a hole.
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

/// Words by which a program says that it broke, and not that it was asked for the wrong thing.
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

/// An error of the source itself, which passes when the source is mended or tried again.
fn internal(error: &GraphQlError) -> bool {
    let message = error.message.to_lowercase();
    code_in(error, &INTERNAL_CODES) || INTERNAL_WORDS.iter().any(|words| message.contains(words))
}
