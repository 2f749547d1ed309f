//! One request and its response: limit, sign, send, read, classify, and retry.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use serde::Serialize;
use serde_json::{Map, Value};

use super::addresses::Forbidden;
use super::body::{self, Unfit};
use super::limits::gate::Refusal;
use super::limits::hints::Hints;
use super::open::{Inner, Source};
use super::response_diagnostics::is_no_answer;
use super::retry::{retry_after, wait};
use crate::failure::classify::{Answer, Found, Raw, classify};
use crate::failure::error::{Attempt, FetchError, FetchErrorKind};
use crate::pages::json::raw_at;

/// A GraphQL request, and what it is for.
pub(crate) struct Question {
    /// What for, such as "page 3 of clients".
    pub what: String,
    /// The key for cost and size: a module's pages, or its nested pages.
    pub kind: String,
    pub query: Arc<str>,
    pub variables: Map<String, Value>,
    /// The cursor in the variables, to recognise its refusal.
    pub cursor: Option<String>,
    /// Whether it is sent only once, without retries.
    pub once: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    query: &'a str,
    variables: &'a Map<String, Value>,
}

/// How often one request has failed, and how many responses the source had sent by then.
#[derive(Default)]
struct FailureCount {
    failures: u32,
    answered: Option<u64>,
}

impl FailureCount {
    /// Counts a failure. Being throttled while other requests succeed does not count: the budget is shared,
    /// and this request's turn comes.
    fn count(&mut self, failure: &FetchError, answered: u64) {
        let before = self.answered.replace(answered);
        let overtaken = before.is_some_and(|before| before != answered);
        if !(overtaken && matches!(failure.kind, FetchErrorKind::Throttled { .. })) {
            self.failures += 1;
        }
    }
}

impl Source {
    /// Sends the request until there is a response, a permanent failure, or no attempt left. `read` extracts
    /// the requested part of the body; holes are in the response's `errors`.
    pub(crate) async fn ask<T>(
        &self,
        question: &Question,
        read: impl for<'a> Fn(&'a Bytes) -> Result<Found<'a, T>, serde_json::Error>,
    ) -> Result<Answer<T>, FetchError> {
        let inner = &self.0;
        let sent = Body {
            query: &question.query,
            variables: &question.variables,
        };
        let body = Bytes::from(serde_json::to_vec(&sent).unwrap_or_default());
        let mut attempt = Attempt {
            source: inner.name.clone(),
            what: question.what.clone(),
            tries: 0,
        };
        let mut renewed = false;
        let mut patience = FailureCount::default();
        let limits = &inner.shared.limits;
        loop {
            let permit = limits
                .ready(&question.kind, inner.priority)
                .await
                .map_err(|refusal| refused(&attempt, refusal))?;
            attempt.tries += 1;
            let mut hints = Hints::default();
            let (outcome, generation) = inner
                .try_once(&attempt, question, &body, &read, &mut hints)
                .await;
            let failure = match outcome {
                Ok(answer) => {
                    limits.answered(&permit, &hints);
                    inner.shared.answered.fetch_add(1, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            limits.failed(&permit, &hints, &failure);
            if matches!(failure.kind, FetchErrorKind::Unauthorized { .. }) && !renewed {
                renewed = true;
                match inner.shared.credentials.renew(generation).await {
                    Ok(true) => continue,
                    Ok(false) => return Err(failure),
                    Err(cause) if !cause.is_transient() => {
                        return Err(FetchError::new(attempt, FetchErrorKind::Token { cause }));
                    }
                    Err(_) => renewed = false,
                }
            } else if question.once || !failure.is_transient() {
                return Err(failure);
            }
            inner
                .wait_before_retry(&attempt, &mut patience, failure)
                .await
                .inspect_err(|failure| limits.gave_up(failure))?;
        }
    }

    /// The page size that the source accepts for a kind of request, if known.
    pub(crate) fn page_size(&self, kind: &str) -> Option<u32> {
        self.0.shared.limits.size(kind)
    }

    /// Remembers the page size that the source accepts.
    pub(crate) fn remember_page_size(&self, kind: &str, size: u32) {
        self.0.shared.limits.remember_size(kind, size);
    }
}

/// The error of a request that was not sent.
fn refused(attempt: &Attempt, refusal: Refusal) -> FetchError {
    let attempt = attempt.clone();
    match refusal {
        Refusal::BreakerOpen {
            since,
            until,
            cause,
        } => FetchError::new(
            attempt,
            FetchErrorKind::BreakerOpen {
                since,
                until,
                cause,
            },
        ),
        Refusal::Exhausted { wait } => FetchError::new(
            attempt,
            FetchErrorKind::Throttled {
                cause: "its limits are used up".to_owned(),
                wait: Some(wait),
            },
        ),
    }
}

/// The text of an error's innermost cause.
fn innermost(error: &(dyn Error + 'static)) -> String {
    match error.source() {
        Some(deeper) => innermost(deeper),
        None => error.to_string(),
    }
}

impl Inner {
    /// Signs, sends, reads and classifies once; returns the generation of the token in use too.
    async fn try_once<T>(
        &self,
        attempt: &Attempt,
        question: &Question,
        body: &Bytes,
        read: &impl for<'a> Fn(&'a Bytes) -> Result<Found<'a, T>, serde_json::Error>,
        hints: &mut Hints,
    ) -> (Result<Answer<T>, FetchError>, u64) {
        let redactor = &self.shared.redactor;
        let signature = match self.shared.credentials.sign(redactor).await {
            Ok(signature) => signature,
            Err(cause) => {
                let attempt = attempt.clone();
                return (
                    Err(FetchError::new(attempt, FetchErrorKind::Token { cause })),
                    0,
                );
            }
        };
        let generation = signature.generation;
        let (kind, body) = (&question.kind, body.clone());
        let sent = self
            .send(attempt, kind, body, signature.header, hints)
            .await;
        let outcome = sent.and_then(|raw| {
            if question.query.contains("rateLimit") {
                hints.add_rate_limit(rate_limit(&raw.body), jiff::Timestamp::now());
            }
            let cursor = question.cursor.as_deref();
            let outcome = classify(&raw, attempt, cursor, redactor, hints, read);
            if outcome.as_ref().is_err_and(is_no_answer) {
                self.keep(kind, &raw.body);
            }
            outcome
        });
        (outcome, generation)
    }

    async fn send(
        &self,
        attempt: &Attempt,
        kind: &str,
        body: Bytes,
        signature: Option<(reqwest::header::HeaderName, reqwest::header::HeaderValue)>,
        hints: &mut Hints,
    ) -> Result<Raw, FetchError> {
        let mut request = self
            .http
            .post(self.endpoint.clone())
            .headers(self.headers.clone())
            .header(
                ACCEPT,
                "application/graphql-response+json, application/json;q=0.9",
            )
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT_ENCODING, "gzip")
            .body(body);
        if let Some((name, value)) = signature {
            request = request.header(name, value);
        }
        let exchange = async {
            let answer = request
                .send()
                .await
                .map_err(|cause| self.network(attempt, cause))?;
            *hints = Hints::of_headers(answer.headers(), jiff::Timestamp::now());
            self.receive(attempt, kind, answer).await
        };
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::new(
                attempt.clone(),
                FetchErrorKind::TooSlow {
                    limit: self.timeout,
                    pace: None,
                },
            )),
        }
    }

    async fn receive(
        &self,
        attempt: &Attempt,
        kind: &str,
        answer: reqwest::Response,
    ) -> Result<Raw, FetchError> {
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let html = header(CONTENT_TYPE).is_some_and(|kind| kind.contains("html"));
        let retry_after =
            header(RETRY_AFTER).and_then(|text| retry_after(text, there(answer.headers())));
        let status = answer.status().as_u16();
        let body = body::read(answer, self.bounds).await;
        if let Err(Unfit::Network(_, part)) = &body {
            self.keep(kind, part);
        }
        Ok(Raw {
            status,
            html,
            retry_after,
            body: body.map_err(|unfit| self.unfit(attempt, unfit))?,
        })
    }

    fn unfit(&self, attempt: &Attempt, unfit: Unfit) -> FetchError {
        let at = attempt.clone();
        match unfit {
            Unfit::Network(cause, _) => self.network(attempt, cause),
            Unfit::TooLarge => FetchError::new(
                at,
                FetchErrorKind::TooLarge {
                    limit: self.bounds.size,
                },
            ),
            Unfit::Bomb(ratio) => FetchError::new(at, FetchErrorKind::Bomb { ratio }),
            Unfit::TooSlow(pace) => FetchError::new(
                at,
                FetchErrorKind::TooSlow {
                    limit: self.timeout,
                    pace: Some(pace),
                },
            ),
            Unfit::Garbled(encoding) => FetchError::new(
                at,
                FetchErrorKind::Shape {
                    problem: format!(
                        "the answer cannot be read as {encoding}, which it is said to be in"
                    ),
                },
            ),
        }
    }

    fn network(&self, attempt: &Attempt, cause: reqwest::Error) -> FetchError {
        let (attempt, cause) = (attempt.clone(), cause.without_url());
        if cause.is_timeout() && !cause.is_connect() {
            return FetchError::new(
                attempt,
                FetchErrorKind::TooSlow {
                    limit: self.timeout,
                    pace: None,
                },
            );
        }
        let mut deeper = cause.source();
        while let Some(inner) = deeper {
            if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
                let problem = forbidden.to_string();
                return FetchError::new(attempt, FetchErrorKind::Forbidden { problem });
            }
            let words = inner.to_string();
            let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
            if says(&["certificate", "peer is incompatible", "ProtocolVersion"]) {
                let needed = match says(&["certificate"]) {
                    true => "",
                    false => "; TLS 1.2 or 1.3 is needed",
                };
                return FetchError::new(
                    attempt,
                    FetchErrorKind::Untrusted {
                        detail: innermost(inner) + needed,
                        cause,
                    },
                );
            }
            deeper = inner.source();
        }
        FetchError::new(attempt, FetchErrorKind::Unreachable { cause })
    }

    /// Waits before the next attempt; fails if none is left or the wait would be too long.
    async fn wait_before_retry(
        &self,
        attempt: &Attempt,
        patience: &mut FailureCount,
        failure: FetchError,
    ) -> Result<(), FetchError> {
        patience.count(&failure, self.shared.answered.load(Ordering::Relaxed));
        let asked = failure.asked_wait();
        let longest = Duration::from_secs(self.retry.longest_wait_seconds);
        let limits = &self.shared.limits;
        if patience.failures >= self.retry.attempts
            || asked.is_some_and(|asked| asked > longest)
            || !limits.may_retry(&failure)
        {
            return Err(failure);
        }
        let pause = wait(
            &self.retry,
            patience.failures.saturating_sub(1),
            asked,
            &mut rand::rng(),
        );
        tracing::info!(
            source = %self.name,
            attempt = attempt.tries,
            wait_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            reason = %failure,
            "a request failed and is tried again"
        );
        if matches!(failure.kind, FetchErrorKind::Throttled { .. }) {
            limits.pause(pause);
        } else {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

/// The source's clock: dates in its response are relative to it.
fn there(headers: &HeaderMap) -> jiff::Timestamp {
    let date = headers.get(DATE).and_then(|value| value.to_str().ok());
    let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    date.map_or_else(jiff::Timestamp::now, |date| date.timestamp())
}

/// The `rateLimit` object in the data, where the query asks for one.
fn rate_limit(body: &Bytes) -> &str {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let path = ["data", "rateLimit"].map(str::to_owned);
    raw_at(text, &path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_others_overtake_keeps_its_turn() {
        let attempt = Attempt::default;
        let throttled = || {
            FetchError::new(
                attempt(),
                FetchErrorKind::Throttled {
                    cause: String::new(),
                    wait: None,
                },
            )
        };
        let slow = || {
            FetchError::new(
                attempt(),
                FetchErrorKind::TooSlow {
                    limit: Duration::ZERO,
                    pace: None,
                },
            )
        };
        let mut patience = FailureCount::default();
        // Responses so far, the failure, and the failures counted after it.
        let story = [
            (7, throttled(), 1),
            (8, throttled(), 1),
            (12, throttled(), 1),
            (12, throttled(), 2),
            (13, slow(), 3),
            (14, throttled(), 3),
        ];
        for (answered, failure, counted) in story {
            patience.count(&failure, answered);
            assert_eq!(patience.failures, counted, "{answered}");
        }
    }
}
