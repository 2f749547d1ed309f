//! The rate limiter: fixed windows, sliding windows and cost, and what the answers say of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{interference, server::Shared};

/// The value of the switch; a bare number is requests per second.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    #[serde(default)]
    kind: Kind,
    /// Requests, or points, per window.
    #[serde(default = "ten", alias = "per_second")]
    limit: f64,
    #[serde(default = "one")]
    window_seconds: f64,
    #[serde(default)]
    says: Says,
    /// Points of one question, for `cost`; a fifth of them is given back when it is answered.
    #[serde(default = "ten")]
    cost: f64,
    #[serde(default = "yes")]
    retry_after: bool,
}

fn ten() -> f64 {
    10.0
}

fn one() -> f64 {
    1.0
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    #[default]
    Fixed,
    Sliding,
    Cost,
}

/// Which headers tell of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Says {
    #[default]
    Nothing,
    XRatelimit,
    Ietf,
}

impl Limit {
    pub(crate) fn read(value: &Value) -> Result<Limit, String> {
        let object = match value.as_f64() {
            Some(limit) => json!({ "limit": limit }),
            None if value.is_null() => json!({}),
            None => value.clone(),
        };
        serde_json::from_value(object).map_err(|error| format!("rate_limit: {error}"))
    }
}

/// What was asked lately.
#[derive(Debug)]
pub(crate) struct Limiter {
    began: Instant,
    served: VecDeque<Instant>,
    level: Option<f64>,
    at: Instant,
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter {
            began: Instant::now(),
            served: VecDeque::new(),
            level: None,
            at: Instant::now(),
        }
    }
}

/// What the limiter makes of one request.
pub(crate) struct Metered {
    refused: bool,
    cost: bool,
    headers: Vec<(&'static str, String)>,
    extensions: Option<Value>,
}

impl Limiter {
    pub(crate) fn meter(&mut self, limit: &Limit) -> Metered {
        match limit.kind {
            Kind::Cost => self.points(limit),
            _ => self.requests(limit),
        }
    }

    fn requests(&mut self, limit: &Limit) -> Metered {
        let now = Instant::now();
        let length = Duration::from_secs_f64(limit.window_seconds);
        if limit.kind == Kind::Fixed {
            while now.duration_since(self.began) >= length {
                self.began += length;
            }
            self.served.retain(|at| *at >= self.began);
        } else {
            self.served.retain(|at| now.duration_since(*at) < length);
        }
        let refused = self.served.len() as f64 >= limit.limit;
        if !refused {
            self.served.push_back(now);
        }
        let opens = match limit.kind {
            Kind::Fixed => self.began + length,
            _ => self.served.front().copied().unwrap_or(now) + length,
        };
        let seconds = opens.duration_since(now).as_secs_f64();
        let remaining = (limit.limit - self.served.len() as f64).max(0.0);
        let mut headers = said(limit, remaining, seconds);
        if refused && limit.retry_after {
            headers.push(("retry-after", seconds.ceil().to_string()));
        }
        Metered {
            refused,
            cost: false,
            headers,
            extensions: None,
        }
    }

    fn points(&mut self, limit: &Limit) -> Metered {
        let now = Instant::now();
        let restore = limit.limit / limit.window_seconds;
        let gained = now.duration_since(self.at).as_secs_f64() * restore;
        let level = (self.level.unwrap_or(limit.limit) + gained).min(limit.limit);
        let refused = level < limit.cost;
        let actual = limit.cost * 0.8;
        let level = if refused { level } else { level - actual };
        (self.level, self.at) = (Some(level), now);
        let extensions = json!({ "cost": {
            "requestedQueryCost": limit.cost,
            "actualQueryCost": if refused { Value::Null } else { actual.into() },
            "throttleStatus": { "maximumAvailable": limit.limit, "currentlyAvailable": level.floor(), "restoreRate": restore },
        } });
        Metered {
            refused,
            cost: true,
            headers: Vec::new(),
            extensions: Some(extensions),
        }
    }
}

fn said(limit: &Limit, remaining: f64, seconds: f64) -> Vec<(&'static str, String)> {
    let whole = seconds.ceil();
    match limit.says {
        Says::Nothing => Vec::new(),
        Says::XRatelimit => {
            let epoch = SystemTime::now().duration_since(UNIX_EPOCH);
            let resets = epoch.unwrap_or_default().as_secs_f64() + seconds;
            vec![
                ("x-ratelimit-limit", limit.limit.to_string()),
                ("x-ratelimit-remaining", remaining.to_string()),
                ("x-ratelimit-reset", resets.ceil().to_string()),
            ]
        }
        Says::Ietf => vec![
            (
                "ratelimit-policy",
                format!("\"all\";q={};w={}", limit.limit, limit.window_seconds),
            ),
            ("ratelimit", format!("\"all\";r={remaining};t={whole}")),
        ],
    }
}

impl Metered {
    /// The refusal, where the limit is used up.
    pub(crate) fn refusal(&self) -> Option<Response> {
        if !self.refused {
            return None;
        }
        if self.cost {
            let body = json!({ "errors": [{ "message": "Throttled", "extensions": { "code": "THROTTLED" } }],
                               "extensions": self.extensions });
            return Some(interference::plain(
                200,
                "application/json",
                body.to_string(),
            ));
        }
        let body = r#"{"error":"Too Many Requests"}"#;
        Some(self.labelled(interference::plain(429, "application/json", body)))
    }

    /// The answer with the headers that tell of the limit.
    pub(crate) fn labelled(&self, mut answer: Response) -> Response {
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                answer
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        answer
    }

    /// The body with its cost.
    pub(crate) fn priced(&self, mut body: Vec<u8>) -> Vec<u8> {
        if let (Some(extensions), Some(b'}')) = (&self.extensions, body.last()) {
            body.pop();
            body.extend_from_slice(format!(",\"extensions\":{extensions}}}").as_bytes());
        }
        body
    }
}

/// What the switch makes of this request; nothing while it is off.
pub(crate) fn meter(shared: &Shared, operations: &[String]) -> Option<Metered> {
    let value = shared
        .board()
        .take(crate::faults::FaultName::RateLimit, operations)?;
    // A value that cannot be read was refused when the switch was set.
    let metered = shared.limiter().meter(&Limit::read(&value).ok()?);
    if metered.refused {
        shared.stats().throttle();
    }
    Some(metered)
}
