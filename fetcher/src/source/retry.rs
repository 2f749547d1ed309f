//! How long to wait before a retry.

use std::time::Duration;

use rand::RngExt;

use super::request_policy::RetryConfig;

/// The wait before attempt `n + 2` (n counts from 0): full jitter, and at least what the source asked for.
pub(super) fn wait(
    config: &RetryConfig,
    n: u32,
    asked: Option<Duration>,
    rng: &mut impl RngExt,
) -> Duration {
    let doubled = config
        .base_ms
        .saturating_mul(1_u64.checked_shl(n).unwrap_or(u64::MAX));
    let most = doubled.min(config.cap_ms);
    let jitter = Duration::from_millis(rng.random_range(0..=most));
    asked.map_or(jitter, |floor| floor.max(jitter))
}

/// Reads `Retry-After`: seconds, or an HTTP date seen from `now`.
pub(super) fn retry_after(text: &str, now: jiff::Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::from_secs_f64(seconds.min(1e9)));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?;
    let until = date.timestamp().duration_since(now);
    Some(Duration::try_from(until).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const CONFIG: RetryConfig = RetryConfig {
        attempts: 6,
        base_ms: 500,
        cap_ms: 30_000,
        longest_wait_seconds: 300,
        budget: 40,
    };

    #[test]
    fn waits_are_spread_over_the_whole_range_and_capped() {
        let mut rng = StdRng::seed_from_u64(7);
        for (n, most) in [(0, 500), (1, 1_000), (3, 4_000), (10, 30_000), (70, 30_000)] {
            let waits: Vec<u128> = (0..500)
                .map(|_| wait(&CONFIG, n, None, &mut rng).as_millis())
                .collect();
            let (low, high) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
            assert!(*high <= most, "n = {n}: {high}");
            assert!(
                *high > most * 9 / 10 && *low < most / 10,
                "n = {n}: {low}..{high}"
            );
        }
    }

    #[test]
    fn what_the_source_asked_for_is_a_floor() {
        let mut rng = StdRng::seed_from_u64(7);
        let asked = Duration::from_secs(40);
        assert_eq!(wait(&CONFIG, 0, Some(asked), &mut rng), asked);
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let now: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
            ("-5", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                retry_after(text, now),
                expected.map(Duration::from_secs),
                "{text:?}"
            );
        }
    }
}
