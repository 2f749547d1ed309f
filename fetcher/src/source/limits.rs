//! One limiter per source and process, whichever module asks.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use governor::clock::{Clock, Reference as _};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::config::Rate;

/// The limiter's clock is tokio's, so that waits and limits agree, in paused time too.
#[derive(Debug, Clone)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Instant::now().duration_since(self.0)
    }
}

/// Holds requests to the source's rate, and to any pause the source has asked for.
#[derive(Debug)]
pub(super) struct Limits {
    clock: TokioClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    paused_until: Mutex<Option<Instant>>,
}

impl Limits {
    pub(super) fn new(rate: Rate) -> Limits {
        let clock = TokioClock(Instant::now());
        let period = Duration::from_secs_f64(1.0 / rate.per_second.clamp(0.001, 1_000_000.0));
        let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst);
        Limits {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            paused_until: Mutex::new(None),
        }
    }

    /// Waits until a request may be sent.
    pub(super) async fn ready(&self) {
        loop {
            let pause = *self
                .paused_until
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(until) = pause.filter(|until| *until > Instant::now()) {
                tokio::time::sleep_until(until).await;
                continue;
            }
            match self.limiter.check() {
                Ok(()) => return,
                Err(refused) => {
                    let wait: Duration = refused
                        .earliest_possible()
                        .duration_since(self.clock.now())
                        .into();
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Holds back every request to this source for a while, because the source said so.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut paused = self
            .paused_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |earlier| earlier.max(until)));
    }
}

/// The shared value for `key`, made on first use and dropped with its last holder.
pub(super) fn shared<T: Send + Sync + 'static, E>(
    registry: &'static Registry<T>,
    key: String,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<Arc<T>, E> {
    let mut all = registry
        .get_or_init(Default::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = all.get(&key).and_then(Weak::upgrade) {
        return Ok(found);
    }
    all.retain(|_, held| held.strong_count() > 0);
    let made = Arc::new(make()?);
    all.insert(key, Arc::downgrade(&made));
    Ok(made)
}

/// What the process shares between all openings of one source.
pub(super) type Registry<T> = OnceLock<Mutex<HashMap<String, Weak<T>>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_permitted_rate_is_not_exceeded_and_a_burst_is_free() {
        let limits = Limits::new(Rate {
            per_second: 1000.0,
            burst: 5,
        });
        let start = Instant::now();
        for _ in 0..55 {
            limits.ready().await;
        }
        assert!(
            start.elapsed() >= Duration::from_millis(49),
            "{:?}",
            start.elapsed()
        );
    }

    #[tokio::test]
    async fn the_longer_pause_holds_every_request_back() {
        let limits = Limits::new(Rate {
            per_second: 1000.0,
            burst: 10,
        });
        let start = Instant::now();
        limits.pause(Duration::from_millis(30));
        limits.pause(Duration::from_millis(2));
        limits.ready().await;
        assert!(start.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    fn two_openings_share_and_a_closed_source_is_forgotten() {
        static REGISTRY: Registry<u32> = OnceLock::new();
        let open = |value: u32| shared(&REGISTRY, "a".into(), || Ok::<_, ()>(value)).unwrap();
        let (one, two) = (open(1), open(2));
        assert_eq!((*one, *two), (1, 1));
        drop((one, two));
        assert_eq!(*open(3), 3);
    }
}
