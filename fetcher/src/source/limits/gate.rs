//! Every request to a source passes here: waits for its turn, and updates the limiter with the response.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

use super::hints::Hints;
use super::limiter::{Admission, LimiterState, Permit, Priority};
use super::state_file::StateFile;
use crate::failure::error::{FetchError, FetchErrorKind};
use crate::source::request_policy::RequestPolicy;

/// Why a request may not be sent now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The circuit breaker is open.
    BreakerOpen {
        since: jiff::Timestamp,
        until: jiff::Timestamp,
        cause: String,
    },
    /// The limits permit no request within the longest wait.
    Exhausted { wait: Duration },
}

/// The state of a source's limiter and credentials: shown to people, and stored with a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// `closed` normally, `open` while no request is sent, `half-open` when the next request is a probe.
    pub breaker: &'static str,
    /// Since when the breaker is open.
    pub since: Option<jiff::Timestamp>,
    /// When it is asked again at the earliest, after the open time or a requested pause.
    pub next_try: Option<jiff::Timestamp>,
    /// Why the breaker is open.
    pub cause: Option<String>,
    /// Requests given up in a row.
    pub failures: u32,
    /// Retries left in the budget.
    pub retries_left: f64,
    /// Requests per second at present, of this host.
    pub per_second: f64,
    /// This host's share of what the source permits; 1 while no other host asks.
    pub share: f64,
    /// Seconds its clock is ahead of ours.
    pub clock_ahead: f64,
    /// When its credentials expire and a person must renew them, if known.
    pub credentials_end: Option<jiff::Timestamp>,
    /// From when a warning is shown.
    pub credentials_warning: Option<jiff::Timestamp>,
}

/// Unix seconds that never go back within a process, and pause with tokio's clock.
#[derive(Debug)]
struct Clock {
    began: Instant,
    epoch: f64,
}

impl Clock {
    fn now(&self) -> f64 {
        self.epoch + self.began.elapsed().as_secs_f64()
    }
}

/// The rate limiter of a source.
#[derive(Debug)]
pub(crate) struct Limits {
    name: String,
    clock: Clock,
    rules: RequestPolicy,
    state_file: StateFile,
}

impl Limits {
    /// The limits of a source, shared with other processes through `folder`, if given.
    pub(crate) fn new(rules: RequestPolicy, folder: Option<&Path>, source: &str) -> Limits {
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Limits {
            name: source.to_owned(),
            clock: Clock {
                began: Instant::now(),
                epoch: epoch.as_secs_f64(),
            },
            rules,
            state_file: StateFile::open(folder, source),
        }
    }

    /// Updates the state; warns once when the clocks differ by more than five minutes.
    fn learn(&self, state: &mut LimiterState, permit: &Permit, hints: &Hints, now: f64) {
        let off = |ahead: f64| ahead.abs() > 300.0;
        let before = off(state.ahead);
        state.answered(permit, hints, now);
        if off(state.ahead) && !before {
            tracing::warn!(source = %self.name, seconds = state.ahead, "the source's clock differs from ours; its dates are read relative to its own clock");
        }
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut LimiterState, f64) -> T) -> T {
        self.state_file.with(|state| {
            let now = self.clock.now();
            state.look(now);
            change(state, now)
        })
    }

    /// Waits until a request may be sent.
    pub(crate) async fn ready(&self, kind: &str, priority: Priority) -> Result<Permit, Refusal> {
        let came = self.clock.now();
        loop {
            let step = self.with(|state, now| {
                let step = state.step(now, &self.rules, kind, priority, came);
                (step, state.breaker.cause.clone())
            });
            match step {
                (Admission::Granted(permit), _) => {
                    self.sleep_until(permit.go).await;
                    if !self.with(|state, now| state.is_held(&permit, now)) {
                        return Ok(permit);
                    }
                }
                (Admission::WaitUntil(at), _) => self.sleep_until(at).await,
                (Admission::BreakerOpen { since, until }, cause) => {
                    return Err(Refusal::BreakerOpen {
                        since: instant(since),
                        until: instant(until),
                        cause,
                    });
                }
                (Admission::Exhausted { until }, _) => {
                    let wait = Duration::from_secs_f64((until - self.clock.now()).max(0.0));
                    return Err(Refusal::Exhausted { wait });
                }
            }
        }
    }

    async fn sleep_until(&self, at: f64) {
        let wait = at - self.clock.now();
        if wait > 0.0 {
            tokio::time::sleep(Duration::from_secs_f64(wait)).await;
        }
    }

    /// A response with data came.
    pub(crate) fn answered(&self, permit: &Permit, hints: &Hints) {
        self.with(|state, now| {
            self.learn(state, permit, hints, now);
            state.served();
            state
                .breaker
                .worked(&self.rules.breaker, &self.rules.retry, now);
        });
    }

    /// Updates the limiter after a failed request.
    pub(crate) fn failed(&self, permit: &Permit, hints: &Hints, failure: &FetchError) {
        self.with(|state, now| {
            self.learn(state, permit, hints, now);
            match &failure.kind {
                FetchErrorKind::Throttled { wait, .. } => {
                    state.refused(wait.map(|wait| wait.as_secs_f64()), now);
                    state.breaker.untold();
                }
                FetchErrorKind::Unreachable { .. }
                | FetchErrorKind::TooSlow { .. }
                | FetchErrorKind::Outage { .. } => {
                    state
                        .breaker
                        .failed(&self.rules.breaker, &failure.cause_alone(), now);
                }
                // No request was sent.
                FetchErrorKind::Token { .. } => state.breaker.untold(),
                // It responded: refused credentials and queries do not count against its health.
                _ => state
                    .breaker
                    .worked(&self.rules.breaker, &self.rules.retry, now),
            }
        });
    }

    /// A request was given up after a transient failure.
    pub(crate) fn gave_up(&self, failure: &FetchError) {
        if failure.is_of_the_source() {
            self.with(|state, now| {
                state
                    .breaker
                    .gave_up(&self.rules.breaker, &failure.cause_alone(), now);
            });
        }
    }

    /// Whether a failed request may be retried.
    pub(crate) fn may_retry(&self, failure: &FetchError) -> bool {
        // A retry at the time the source asked for is free.
        if matches!(
            failure.kind,
            FetchErrorKind::Throttled { wait: Some(_), .. }
        ) {
            return true;
        }
        self.with(|state, now| state.breaker.spend(&self.rules.retry, now))
    }

    /// Holds back every request to this source for a while.
    pub(crate) fn pause(&self, wait: Duration) {
        self.with(|state, now| state.held_until = state.held_until.max(now + wait.as_secs_f64()));
    }

    /// The page size that the source accepted for a kind of request.
    pub(crate) fn size(&self, kind: &str) -> Option<u32> {
        self.with(|state, now| state.size(kind, now))
    }

    /// Remembers the page size that the source accepted, for a day.
    pub(crate) fn remember_size(&self, kind: &str, size: u32) {
        self.with(|state, now| state.remember_size(kind, size, now));
    }

    /// The state of the limiter.
    pub(crate) fn standing(&self) -> Standing {
        self.with(|state, now| {
            let breaker = &state.breaker;
            let held = state.held_until.max(match breaker.since {
                Some(_) => breaker.until,
                None => 0.0,
            });
            Standing {
                breaker: match breaker.since {
                    None => "closed",
                    Some(_) if now < breaker.until => "open",
                    Some(_) => "half-open",
                },
                since: breaker.since.map(instant),
                next_try: (held > now).then(|| instant(held)),
                cause: breaker.since.map(|_| breaker.cause.clone()),
                failures: breaker.failures,
                per_second: state.rate(&self.rules.rate),
                share: state.granted().fraction(),
                clock_ahead: state.ahead,
                credentials_end: None,
                credentials_warning: None,
                retries_left: state.breaker.budget(&self.rules.retry, now),
            }
        })
    }
}

fn instant(seconds: f64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or(jiff::Timestamp::MAX)
}
