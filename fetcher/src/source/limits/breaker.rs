//! The circuit breaker and the retry budget of one source.

use serde::{Deserialize, Serialize};

use crate::source::request_policy::{BreakerConfig, RetryConfig};

/// Seconds in which an empty budget refills on its own.
const REFILL: f64 = 600.0;
/// Seconds after which a probe without a result is given up.
const PROBE: f64 = 120.0;

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Entry {
    /// As usual.
    Open,
    /// As the one probe while the breaker is half open.
    Probe,
    /// Not before then.
    Closed { until: f64 },
}

/// The recent failures of a source. Times are Unix seconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Breaker {
    /// Requests given up in a row.
    pub(super) failures: u32,
    /// The last requests, newest in the lowest bit, failures set.
    recent: u64,
    seen: u32,
    /// Since when the breaker is open.
    pub(super) since: Option<f64>,
    pub(super) until: f64,
    probing: f64,
    proved: u32,
    /// Why the breaker is open.
    pub(super) cause: String,
    budget: Option<f64>,
    filled_at: f64,
}

impl Breaker {
    /// Whether a request may be sent now; the first after the open time is the probe.
    pub(super) fn enter(&mut self, now: f64) -> Entry {
        match self.since {
            None => Entry::Open,
            Some(_) if now < self.until => Entry::Closed { until: self.until },
            Some(_) if now < self.probing => Entry::Closed {
                until: self.probing,
            },
            Some(_) => {
                self.probing = now + PROBE;
                Entry::Probe
            }
        }
    }

    /// A response came. The source works, whatever the response says.
    pub(super) fn worked(&mut self, config: &BreakerConfig, retry: &RetryConfig, now: f64) {
        self.note(config, false);
        self.failures = 0;
        let budget = self.budget(retry, now);
        self.budget = Some((budget + 0.5).min(f64::from(retry.budget)));
        if self.since.is_some() {
            self.proved += 1;
            self.probing = 0.0;
            if self.proved >= config.probes {
                let (budget, filled_at) = (self.budget, self.filled_at);
                *self = Breaker {
                    budget,
                    filled_at,
                    ..Breaker::default()
                };
            }
        }
    }

    /// A request failed by the source's fault.
    pub(super) fn failed(&mut self, config: &BreakerConfig, cause: &str, now: f64) {
        self.note(config, true);
        let failing = self.recent.count_ones() * 100 >= self.seen * config.failure_percent;
        let enough = self.seen >= config.window.div_ceil(2);
        if self.since.is_some() || (failing && enough) {
            self.open(config, cause, now);
        }
    }

    /// A request was given up after all attempts.
    pub(super) fn gave_up(&mut self, config: &BreakerConfig, cause: &str, now: f64) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= config.failures {
            self.open(config, cause, now);
        }
    }

    /// The request ended without telling anything about the source's health.
    pub(super) fn untold(&mut self) {
        self.probing = 0.0;
    }

    /// Takes one retry from the budget, if there is one.
    pub(super) fn spend(&mut self, retry: &RetryConfig, now: f64) -> bool {
        if self.since.is_some() {
            return false;
        }
        let budget = self.budget(retry, now);
        self.budget = Some(if budget >= 1.0 { budget - 1.0 } else { budget });
        budget >= 1.0
    }

    /// Retries left.
    pub(super) fn budget(&mut self, retry: &RetryConfig, now: f64) -> f64 {
        let full = f64::from(retry.budget);
        let held = self.budget.unwrap_or(full);
        let gained = (now - self.filled_at).max(0.0) * full / REFILL;
        self.filled_at = now;
        self.budget = Some((held + gained).min(full));
        self.budget.unwrap_or(full)
    }

    /// Shifts all times by `seconds`, after the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        self.until += seconds;
        self.probing += seconds;
        self.filled_at += seconds;
        self.since = self.since.map(|since| since + seconds);
    }

    /// Opens the breaker, as another host found the source failing.
    pub(super) fn leave_alone(&mut self, since: f64, until: f64, cause: &str) {
        self.since.get_or_insert(since);
        self.until = self.until.max(until);
        (self.probing, self.proved) = (0.0, 0);
        self.cause = cause.to_owned();
    }

    fn note(&mut self, config: &BreakerConfig, failed: bool) {
        let window = config.window.clamp(1, 64);
        let mask = u64::MAX >> (64 - window);
        self.recent = ((self.recent << 1) | u64::from(failed)) & mask;
        self.seen = (self.seen + 1).min(window);
    }

    fn open(&mut self, config: &BreakerConfig, cause: &str, now: f64) {
        self.since.get_or_insert(now);
        self.until = now + config.open_seconds as f64;
        (self.probing, self.proved) = (0.0, 0);
        self.cause = cause.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        failures: 3,
        failure_percent: 50,
        window: 20,
        open_seconds: 60,
        probes: 2,
    };

    fn retry() -> RetryConfig {
        RetryConfig::default()
    }

    #[test]
    fn three_questions_given_up_leave_the_source_alone_until_probes_pass() {
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            breaker.gave_up(&CONFIG, "503", 10.0);
        }
        assert_eq!(breaker.enter(10.0), Entry::Open);
        breaker.worked(&CONFIG, &retry(), 10.0);
        for _ in 0..3 {
            assert_eq!(breaker.enter(11.0), Entry::Open, "a success counts anew");
            breaker.gave_up(&CONFIG, "503", 11.0);
        }
        assert_eq!(breaker.enter(70.0), Entry::Closed { until: 71.0 });
        assert!(!breaker.spend(&retry(), 70.0), "nothing is tried again now");
        assert_eq!(breaker.enter(71.0), Entry::Probe);
        assert_eq!(breaker.enter(72.0), Entry::Closed { until: 191.0 });
        breaker.failed(&CONFIG, "503", 73.0);
        assert_eq!(breaker.enter(74.0), Entry::Closed { until: 133.0 });
        assert_eq!(breaker.since, Some(11.0), "since the beginning");
        assert_eq!(breaker.enter(133.0), Entry::Probe);
        breaker.worked(&CONFIG, &retry(), 134.0);
        assert_eq!(
            breaker.enter(134.0),
            Entry::Probe,
            "two probes are asked for"
        );
        breaker.worked(&CONFIG, &retry(), 135.0);
        assert_eq!((breaker.enter(135.0), breaker.since), (Entry::Open, None));
    }

    #[test]
    fn a_high_rate_of_failures_opens_as_well_and_a_low_one_never() {
        for (every, opens) in [(2, true), (3, false)] {
            let mut breaker = Breaker::default();
            for number in 0..200 {
                match number % every {
                    0 => breaker.failed(&CONFIG, "x", 1.0),
                    _ => breaker.worked(&CONFIG, &retry(), 1.0),
                }
                if breaker.since.is_some() {
                    break;
                }
            }
            assert_eq!(breaker.since.is_some(), opens, "one in {every}");
        }
    }

    #[test]
    fn a_probe_that_dies_is_given_up() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            breaker.gave_up(&CONFIG, "x", 0.0);
        }
        assert_eq!(breaker.enter(60.0), Entry::Probe);
        assert_eq!(breaker.enter(180.0), Entry::Probe);
    }

    #[test]
    fn the_budget_is_spent_and_comes_back() {
        let (mut breaker, retry) = (Breaker::default(), RetryConfig::default());
        let mut spent = 0;
        while breaker.spend(&retry, 100.0) {
            spent += 1;
        }
        assert_eq!(spent, retry.budget);
        for _ in 0..4 {
            breaker.worked(&CONFIG, &retry, 100.0);
        }
        assert!(breaker.spend(&retry, 100.0) && breaker.spend(&retry, 100.0));
        assert!(!breaker.spend(&retry, 100.0));
        assert!(breaker.budget(&retry, 100.0 + REFILL) >= f64::from(retry.budget));
    }
}
