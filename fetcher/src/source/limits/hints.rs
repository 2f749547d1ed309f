//! What an answer says about how fast its source may be asked: headers and bodies of every dialect known to
//! us.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{DATE, HeaderMap};
use serde::Deserialize;

/// Everything one answer says about limits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Hints {
    /// So many requests or points per window of time.
    pub windows: Vec<WindowHint>,
    /// Points that are restored all the time.
    pub points: Option<PointsHint>,
    /// Seconds the source's clock is ahead of ours, where it shows one.
    pub ahead: Option<f64>,
}

/// What is left of one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct WindowHint {
    /// Tells apart several windows of one source.
    pub name: String,
    pub limit: Option<f64>,
    pub remaining: f64,
    pub resets_in: Option<f64>,
    pub length: Option<f64>,
    /// What this request took from it.
    pub cost: Option<f64>,
}

/// A bucket of points, and what this question asked of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PointsHint {
    pub capacity: f64,
    pub available: f64,
    pub restore: f64,
    pub requested: f64,
    /// What it took in the end, where the source tells.
    pub actual: Option<f64>,
}

impl Hints {
    /// Reads the headers of an answer received at `now`.
    pub(crate) fn of_headers(headers: &HeaderMap, now: jiff::Timestamp) -> Hints {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let date = text(DATE.as_str())
            .and_then(|text| jiff::fmt::rfc2822::parse(text).ok())
            .map(|date| date.timestamp());
        let ahead = date.map(|date| date.duration_since(now).as_secs_f64());
        // A date has whole seconds only: it is used where the clocks are further apart than that.
        let there = match (date, ahead) {
            (Some(date), Some(ahead)) if ahead.abs() > 5.0 => date,
            _ => now,
        };
        let mut windows = ietf(text("ratelimit"), text("ratelimit-policy"));
        if windows.is_empty() {
            let named = |prefix: &str| {
                plain(
                    |name| text(&format!("{prefix}-{name}")),
                    text("ratelimit-policy"),
                    there,
                )
            };
            windows.extend(
                ["ratelimit", "x-ratelimit", "x-rate-limit"]
                    .into_iter()
                    .find_map(named),
            );
        }
        Hints {
            windows,
            points: None,
            ahead,
        }
    }

    /// Adds what the body's `extensions` say: cost-based throttling.
    pub(crate) fn add_extensions(&mut self, extensions: &str) {
        self.points = points(extensions).or(self.points.take());
    }

    /// Adds what a `rateLimit` object in the data says; it is about points of an hour.
    pub(crate) fn add_rate_limit(&mut self, object: &str, now: jiff::Timestamp) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct RateLimit {
            limit: Option<f64>,
            cost: Option<f64>,
            remaining: f64,
            reset_at: Option<jiff::Timestamp>,
        }
        let Ok(told) = serde_json::from_str::<RateLimit>(object) else {
            return;
        };
        // The same window may stand in the headers, counted in requests; the points are what binds.
        self.windows = vec![WindowHint {
            name: "points".to_owned(),
            limit: told.limit,
            remaining: told.remaining,
            resets_in: told
                .reset_at
                .map(|at| at.duration_since(now).as_secs_f64().max(0.0)),
            length: None,
            cost: told.cost,
        }];
    }
}

impl PointsHint {
    /// The time that restores the points a refused question lacks.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let seconds = (self.requested - self.available) / self.restore;
        (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(1e6)))
    }
}

/// `RateLimit` and `RateLimit-Policy` of the IETF draft, in its present and its former form.
fn ietf(limits: Option<&str>, policies: Option<&str>) -> Vec<WindowHint> {
    let Some(limits) = limits else {
        return Vec::new();
    };
    let policies = policies.map(items).unwrap_or_default();
    let former: BTreeMap<String, f64> = items(limits)
        .into_iter()
        .filter_map(|(name, _)| {
            let (key, value) = name.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().parse().ok()?))
        })
        .collect();
    if let Some(remaining) = former.get("remaining") {
        let length = policies
            .first()
            .and_then(|(_, policy)| policy.get("w").copied());
        return vec![WindowHint {
            limit: former.get("limit").copied(),
            remaining: *remaining,
            resets_in: former.get("reset").copied(),
            length,
            ..WindowHint::default()
        }];
    }
    let hint = |(name, of): (String, BTreeMap<String, f64>)| {
        let policy = policies.iter().find(|(known, _)| *known == name);
        let policy = |key: &str| policy.and_then(|(_, policy)| policy.get(key).copied());
        Some(WindowHint {
            limit: policy("q"),
            remaining: *of.get("r")?,
            resets_in: of.get("t").copied(),
            length: policy("w"),
            cost: None,
            name,
        })
    };
    items(limits).into_iter().filter_map(hint).collect()
}

/// `…-Limit`, `…-Remaining` and `…-Reset`, in seconds from now, seconds of the epoch, or milliseconds of it.
fn plain<'h>(
    header: impl Fn(&str) -> Option<&'h str>,
    policy: Option<&str>,
    now: jiff::Timestamp,
) -> Option<WindowHint> {
    let number = |name: &str| {
        let first = header(name)?.split([',', ';']).next()?;
        first.trim().parse::<f64>().ok().filter(|n| n.is_finite())
    };
    let here = now.as_millisecond() as f64 / 1000.0;
    let resets_in = number("reset").map(|reset| match reset {
        epoch if epoch > 1e11 => epoch / 1000.0 - here,
        epoch if epoch > 1e8 => epoch - here,
        seconds => seconds,
    });
    let in_limit = header("limit").map(items).unwrap_or_default();
    let length = policy
        .map(items)
        .unwrap_or_default()
        .into_iter()
        .chain(in_limit)
        .find_map(|(_, of)| of.get("w").copied());
    Some(WindowHint {
        limit: number("limit"),
        remaining: number("remaining")?,
        resets_in: resets_in.map(|seconds| seconds.max(0.0)),
        length,
        ..WindowHint::default()
    })
}

/// The items of a structured field: each with its name or value, and its numeric parameters.
fn items(field: &str) -> Vec<(String, BTreeMap<String, f64>)> {
    let item = |text: &str| {
        let mut parts = text.split(';');
        let name = parts.next().unwrap_or_default().trim().trim_matches('"');
        let of = parts.filter_map(|part| {
            let (key, value) = part.split_once('=')?;
            Some((key.trim().to_owned(), value.trim().parse().ok()?))
        });
        (name.to_owned(), of.collect())
    };
    field.split(',').take(8).map(item).collect()
}

fn points(extensions: &str) -> Option<PointsHint> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        maximum_available: Option<f64>,
        currently_available: f64,
        restore_rate: f64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cost {
        requested_query_cost: f64,
        actual_query_cost: Option<f64>,
        throttle_status: Status,
    }
    #[derive(Deserialize)]
    struct Extensions {
        cost: Cost,
    }
    let Cost {
        requested_query_cost: requested,
        actual_query_cost: actual,
        throttle_status: status,
    } = serde_json::from_str::<Extensions>(extensions).ok()?.cost;
    let sound = |number: f64| number.is_finite() && (0.0..1e12).contains(&number);
    let (available, restore) = (status.currently_available, status.restore_rate);
    let capacity = status.maximum_available.unwrap_or(available.max(requested));
    // What is available may be less than nothing.
    (sound(requested)
        && sound(available.abs())
        && sound(capacity)
        && sound(restore)
        && restore > 0.0)
        .then_some(PointsHint {
            capacity,
            available,
            restore,
            requested,
            actual: actual.filter(|actual| sound(*actual)),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> jiff::Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn hint(limit: f64, remaining: f64, resets_in: f64, length: Option<f64>) -> WindowHint {
        WindowHint {
            limit: Some(limit),
            remaining,
            resets_in: Some(resets_in),
            length,
            ..WindowHint::default()
        }
    }

    #[test]
    fn every_dialect_of_headers_is_understood() {
        let named = |name: &str, hint: WindowHint| WindowHint {
            name: name.to_owned(),
            ..hint
        };
        let reset = (now().as_second() + 90).to_string();
        let milliseconds = (now().as_millisecond() + 90_500).to_string();
        type Case<'c> = (&'static str, &'c [(&'static str, &'c str)], Vec<WindowHint>);
        let cases: [Case; 9] = [
            ("nothing", &[("content-type", "text/html")], vec![]),
            (
                "seconds from now",
                &[
                    ("x-ratelimit-limit", "100"),
                    ("x-ratelimit-remaining", "7"),
                    ("x-ratelimit-reset", "30"),
                ],
                vec![hint(100.0, 7.0, 30.0, None)],
            ),
            (
                "seconds of the epoch",
                &[
                    ("x-ratelimit-limit", "5000"),
                    ("x-ratelimit-remaining", "0"),
                    ("x-ratelimit-reset", &reset),
                ],
                vec![hint(5000.0, 0.0, 90.0, None)],
            ),
            (
                "milliseconds of the epoch",
                &[
                    ("x-rate-limit-limit", "5"),
                    ("x-rate-limit-remaining", "1"),
                    ("x-rate-limit-reset", &milliseconds),
                ],
                vec![hint(5.0, 1.0, 90.5, None)],
            ),
            (
                "the draft's first form",
                &[
                    ("ratelimit-limit", "100, 100;w=60"),
                    ("ratelimit-remaining", "50"),
                    ("ratelimit-reset", "12"),
                ],
                vec![hint(100.0, 50.0, 12.0, Some(60.0))],
            ),
            (
                "the draft's former form",
                &[
                    ("ratelimit", "limit=100, remaining=50, reset=5"),
                    ("ratelimit-policy", "100;w=10"),
                ],
                vec![hint(100.0, 50.0, 5.0, Some(10.0))],
            ),
            (
                "the draft's present form, two windows",
                &[
                    ("ratelimit", "\"burst\";r=9;t=1, \"day\";r=900;t=4000"),
                    (
                        "ratelimit-policy",
                        "\"burst\";q=10;w=1,\"day\";q=1000;w=86400",
                    ),
                ],
                vec![
                    named("burst", hint(10.0, 9.0, 1.0, Some(1.0))),
                    named("day", hint(1000.0, 900.0, 4000.0, Some(86400.0))),
                ],
            ),
            (
                "nonsense",
                &[("ratelimit", ";;;=,\"x"), ("x-ratelimit-remaining", "many")],
                vec![],
            ),
            (
                "a clock that is ten minutes ahead",
                &[
                    ("date", "Sun, 01 Mar 2026 12:10:00 GMT"),
                    ("x-ratelimit-limit", "5"),
                    ("x-ratelimit-remaining", "1"),
                    ("x-ratelimit-reset", "1772367010"),
                ],
                vec![hint(5.0, 1.0, 10.0, None)],
            ),
        ];
        for (label, headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            assert_eq!(Hints::of_headers(&map, now()).windows, expected, "{label}");
        }
    }

    #[test]
    fn costs_and_points_are_read_from_bodies() {
        let cost = |requested: &str, restore: &str| {
            points(&format!(
                r#"{{"cost":{{"requestedQueryCost":{requested},"actualQueryCost":8,"throttleStatus":{{"maximumAvailable":2000,"currentlyAvailable":250,"restoreRate":{restore}}}}}}}"#
            ))
        };
        let expected = PointsHint {
            capacity: 2000.0,
            available: 250.0,
            restore: 50.0,
            requested: 1000.0,
            actual: Some(8.0),
        };
        assert_eq!(expected.wait(), Some(Duration::from_secs(15)));
        assert_eq!(cost("1000", "50.0"), Some(expected));
        assert_eq!(
            cost("10", "50").unwrap().wait(),
            None,
            "there are points enough"
        );
        for (requested, restore) in [("null", "50"), ("10", "0"), ("10", "-1"), ("-10", "5")] {
            assert_eq!(cost(requested, restore), None, "{requested} {restore}");
        }
        assert_eq!(points(r#"{"tracing":{}}"#), None);
        let mut hints = Hints::default();
        let object = r#"{"limit":5000,"cost":3,"remaining":4990,"used":10,"resetAt":"2026-03-01T12:30:00Z"}"#;
        hints.add_rate_limit(object, now());
        assert_eq!(
            (hints.windows[0].cost, hints.windows[0].resets_in),
            (Some(3.0), Some(1800.0))
        );
        hints.add_rate_limit("[1]", now());
        assert_eq!(hints.windows.len(), 1, "nonsense changes nothing");
    }
}
