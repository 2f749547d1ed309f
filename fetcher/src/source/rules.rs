//! How a source is asked: its rate, its retries, its breaker, as `[sources.NAME]` says.

use serde::Deserialize;

/// Requests per second and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests per second in steady state, at most; unset, what the source says it permits, or 5 where it
    /// says nothing.
    pub per_second: Option<f64>,
    /// Requests that may come at once after a pause, as long as the source has refused none.
    #[serde(default = "burst")]
    pub burst: u32,
}

fn burst() -> u32 {
    5
}

impl Default for Rate {
    fn default() -> Self {
        Rate {
            per_second: None,
            burst: burst(),
        }
    }
}

/// When a failing source is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerConfig {
    /// Questions given up in a row.
    pub failures: u32,
    /// Or so many of a hundred of the last requests failed,
    pub failure_percent: u32,
    /// of so many, at least half of which were made.
    pub window: u32,
    /// Seconds it is left alone.
    pub open_seconds: u64,
    /// Questions that must be answered before all is well again.
    pub probes: u32,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig {
            failures: 3,
            failure_percent: 50,
            window: 20,
            open_seconds: 60,
            probes: 1,
        }
    }
}

/// How a source is asked: what its limits, retries and breaker are decided by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SourceRules {
    pub rate: Rate,
    pub retry: RetryConfig,
    pub breaker: BreakerConfig,
}

/// Waits of random(0, min(cap, base·2ⁿ)) between attempts; `Retry-After` is a floor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Attempts per request, the first included.
    pub attempts: u32,
    /// Milliseconds of the first wait.
    pub base_ms: u64,
    /// Milliseconds no computed wait exceeds.
    pub cap_ms: u64,
    /// Seconds a source may ask us to wait; more than this ends the run as waiting.
    pub longest_wait_seconds: u64,
    /// Retries that all requests to the source share; each answer brings back half of one, time the rest.
    pub budget: u32,
}

impl Default for RetryConfig {
    fn default() -> Self {
        RetryConfig {
            attempts: 6,
            base_ms: 500,
            cap_ms: 30_000,
            longest_wait_seconds: 300,
            budget: 40,
        }
    }
}
