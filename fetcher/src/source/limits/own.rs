//! The configured rate. governor counts it, by the generic cell rate algorithm; the account that all
//! processes share keeps the one number the algorithm needs, the time at which the next request would be due.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

/// So many requests per second, of which `burst` may come at once after a pause.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnRate {
    pub per_second: f64,
    pub burst: u32,
}

impl OwnRate {
    /// When a request may go that wants to at `now`, in seconds of the epoch; `due` is the account's number.
    pub(super) fn earliest(self, due: f64, now: f64) -> f64 {
        self.check(due, now).err().unwrap_or(now)
    }

    /// The account's number behind a request that goes at `go`, which is its earliest time or later.
    pub(super) fn take(self, due: f64, go: f64) -> f64 {
        // A float of today's seconds is a few hundred nanoseconds coarse, and governor exact.
        self.check(due, go)
            .or_else(|earliest| self.check(due, earliest + 1e-6))
            .unwrap_or_else(|earliest| earliest.max(due))
    }

    fn check(self, due: f64, now: f64) -> Result<f64, f64> {
        let burst = NonZeroU32::new(self.burst).unwrap_or(NonZeroU32::MIN);
        let period = Duration::from_secs_f64(1.0 / self.per_second).max(Duration::from_nanos(1));
        let quota = Quota::with_period(period).expect("a period is longer than nothing");
        let (state, clock) = (
            Due(Cell::new(instant(due))),
            Told(Cell::new(Duration::ZERO)),
        );
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Duration>> =
            RateLimiter::new(quota.allow_burst(burst), state, clock);
        limiter.clock().0.set(instant(now));
        match limiter.check() {
            Ok(()) => Ok(limiter.into_state_store().0.get().as_secs_f64()),
            Err(refused) => Err(refused.earliest_possible().as_secs_f64()),
        }
    }
}

fn instant(seconds: f64) -> Duration {
    // governor counts nanoseconds, which last for 584 years.
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    seconds.min(Duration::from_secs(10_000_000_000))
}

/// A clock that is told the time; the epoch is its beginning.
struct Told(Cell<Duration>);

impl Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// The time at which the next request would be due.
struct Due(Cell<Duration>);

impl StateStore for Due {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, judge: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, due) = judge(Some(self.0.get().into()))?;
        self.0.set(due.into());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_what_follows_is_evenly_spaced_in_each_process_alike() {
        let rate = OwnRate {
            per_second: 4.0,
            burst: 3,
        };
        let (began, mut due) = (1_790_000_000.0, 0.0);
        let mut went = Vec::new();
        for _ in 0..6 {
            let go = rate.earliest(due, began);
            due = rate.take(due, go);
            went.push((go - began) * 4.0);
        }
        for (went, expected) in went.iter().zip([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]) {
            assert!((went - expected).abs() < 1e-3, "{went} for {expected}");
        }
        assert!(rate.earliest(due, began + 10.0) == began + 10.0, "rested");
    }
}
