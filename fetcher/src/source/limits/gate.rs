//! The gate every request to a source passes, and what it learns from the answers.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

use super::hints::Hints;
use super::ledger::Ledger;
use super::pace::{Pace, Permit, Priority, Step};
use crate::failure::FetchError;
use crate::source::rules::SourceRules;

/// Why a request may not be sent now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The source failed too often and is left alone.
    LeftAlone {
        since: jiff::Timestamp,
        until: jiff::Timestamp,
        cause: String,
    },
    /// Its limits permit nothing for longer than anybody waits.
    Exhausted { wait: Duration },
}

/// How a source stands with us: for people, and to be stored with a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// `closed` while all is well, `open` while the source is left alone, `half-open` when the next question
    /// is a probe.
    pub breaker: &'static str,
    /// Since when it is left alone.
    pub since: Option<jiff::Timestamp>,
    /// When it is asked again at the earliest: by the breaker, or because it asked for a pause.
    pub next_try: Option<jiff::Timestamp>,
    /// Why it is left alone.
    pub cause: Option<String>,
    /// Questions given up in a row.
    pub failures: u32,
    /// Retries left before none is made any more.
    pub retries_left: f64,
    /// Requests per second at present, of this host.
    pub per_second: f64,
    /// This host's share of what the source permits; 1 while no other host asks.
    pub share: f64,
    /// Seconds its clock is ahead of ours.
    pub clock_ahead: f64,
    /// When its credentials end and must be renewed by a person, as far as known.
    pub credentials_end: Option<jiff::Timestamp>,
    /// From when that is shown.
    pub credentials_warning: Option<jiff::Timestamp>,
}

/// Seconds of the epoch that never go back within a process, and stand still with tokio's clock.
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

/// Holds requests to what their source permits.
#[derive(Debug)]
pub(crate) struct Limits {
    name: String,
    clock: Clock,
    rules: SourceRules,
    ledger: Ledger,
}

impl Limits {
    /// The limits of a source, shared through `folder` where one is given.
    pub(crate) fn new(rules: SourceRules, folder: Option<&Path>, source: &str) -> Limits {
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
            ledger: Ledger::open(folder, source),
        }
    }

    /// A clock five minutes off is worth a word, once.
    fn learn(&self, pace: &mut Pace, permit: &Permit, hints: &Hints, now: f64) {
        let off = |ahead: f64| ahead.abs() > 300.0;
        let before = off(pace.ahead);
        pace.answered(permit, hints, now);
        if off(pace.ahead) && !before {
            tracing::warn!(source = %self.name, seconds = pace.ahead, "the source's clock and ours differ; its dates are read by its own clock");
        }
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Pace, f64) -> T) -> T {
        self.ledger.with(|pace| {
            let now = self.clock.now();
            pace.look(now);
            change(pace, now)
        })
    }

    /// Waits until a request may be sent.
    pub(crate) async fn ready(&self, kind: &str, priority: Priority) -> Result<Permit, Refusal> {
        let came = self.clock.now();
        loop {
            let step = self.with(|pace, now| {
                let step = pace.step(now, &self.rules, kind, priority, came);
                (step, pace.breaker.cause.clone())
            });
            match step {
                (Step::Go(permit), _) => {
                    self.sleep_until(permit.go).await;
                    if !self.with(|pace, now| pace.is_held(&permit, now)) {
                        return Ok(permit);
                    }
                }
                (Step::Later(at), _) => self.sleep_until(at).await,
                (Step::LeftAlone { since, until }, cause) => {
                    return Err(Refusal::LeftAlone {
                        since: instant(since),
                        until: instant(until),
                        cause,
                    });
                }
                (Step::Exhausted { until }, _) => {
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

    /// An answer with data came.
    pub(crate) fn answered(&self, permit: &Permit, hints: &Hints) {
        self.with(|pace, now| {
            self.learn(pace, permit, hints, now);
            pace.served();
            pace.breaker
                .worked(&self.rules.breaker, &self.rules.retry, now);
        });
    }

    /// A request failed; answers what its failure means for the others.
    pub(crate) fn failed(&self, permit: &Permit, hints: &Hints, failure: &FetchError) {
        self.with(|pace, now| {
            self.learn(pace, permit, hints, now);
            match failure {
                FetchError::Throttled { wait, .. } => {
                    pace.refused(wait.map(|wait| wait.as_secs_f64()), now);
                    pace.breaker.untold();
                }
                FetchError::Unreachable { .. }
                | FetchError::TooSlow { .. }
                | FetchError::Outage { .. } => {
                    pace.breaker
                        .failed(&self.rules.breaker, &failure.cause_alone(), now);
                }
                // No request was sent.
                FetchError::Token { .. } => pace.breaker.untold(),
                // It answered: refusals of credentials and queries say nothing against its health.
                _ => pace
                    .breaker
                    .worked(&self.rules.breaker, &self.rules.retry, now),
            }
        });
    }

    /// A question was given up for a failure that may pass.
    pub(crate) fn gave_up(&self, failure: &FetchError) {
        if failure.is_of_the_source() {
            self.with(|pace, now| {
                pace.breaker
                    .gave_up(&self.rules.breaker, &failure.cause_alone(), now);
            });
        }
    }

    /// Whether a failed request may be tried again, after which pause is another matter.
    pub(crate) fn may_retry(&self, failure: &FetchError) -> bool {
        // To come back when told to is no retry of an outage.
        if matches!(failure, FetchError::Throttled { wait: Some(_), .. }) {
            return true;
        }
        self.with(|pace, now| pace.breaker.spend(&self.rules.retry, now))
    }

    /// Holds back every request to this source for a while.
    pub(crate) fn pause(&self, wait: Duration) {
        self.with(|pace, now| pace.held_until = pace.held_until.max(now + wait.as_secs_f64()));
    }

    /// The page size the source insisted on for a kind of question.
    pub(crate) fn size(&self, kind: &str) -> Option<u32> {
        self.with(|pace, now| pace.size(kind, now))
    }

    /// Remembers the page size the source insisted on, for the runs of a day.
    pub(crate) fn remember_size(&self, kind: &str, size: u32) {
        self.with(|pace, now| pace.remember_size(kind, size, now));
    }

    /// How the source stands with us.
    pub(crate) fn standing(&self) -> Standing {
        self.with(|pace, now| {
            let breaker = &pace.breaker;
            let held = pace.held_until.max(match breaker.since {
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
                per_second: pace.rate(&self.rules.rate),
                share: pace.granted().fraction(),
                clock_ahead: pace.ahead,
                credentials_end: None,
                credentials_warning: None,
                retries_left: pace.breaker.budget(&self.rules.retry, now),
            }
        })
    }
}

fn instant(seconds: f64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap_or(jiff::Timestamp::MAX)
}
