//! The switches of the HTTP layer: answers given instead of the true one, and what is done to the true one.

use std::{
    convert::Infallible,
    io,
    time::{Duration, Instant, SystemTime},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response as HttpResponse, header},
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::{faults::FaultName, server::Shared};

const MAINTENANCE: &str = "<!DOCTYPE html><html lang=\"fr\"><head><title>Maintenance</title></head><body><h1>Nous revenons bientôt</h1></body></html>";

/// The fixed window of the rate limiter.
#[derive(Debug)]
pub(crate) struct RateWindow {
    began: Instant,
    used: u64,
}

impl Default for RateWindow {
    fn default() -> Self {
        RateWindow {
            began: Instant::now(),
            used: 0,
        }
    }
}

impl RateWindow {
    /// True when one more request fits into this second.
    fn admits(&mut self, per_second: u64) -> bool {
        if self.began.elapsed() >= Duration::from_secs(1) {
            *self = RateWindow::default();
        }
        self.used += 1;
        self.used <= per_second
    }
}

/// The answer that a switch gives in place of the true one.
pub(crate) fn instead(shared: &Shared, operations: &[String]) -> Option<Response> {
    let mut board = shared.board();
    if let Some(value) = board.take(FaultName::RateLimit, operations) {
        let per_second = value
            .as_u64()
            .or_else(|| value["per_second"].as_u64())
            .unwrap_or(10);
        if !shared.window().admits(per_second) {
            let header = (value["retry_after"] != false).then(|| "1".to_owned());
            return Some(too_many(header));
        }
    }
    if let Some(value) = board.take(FaultName::TooManyRequests, operations) {
        let header = (!value.is_null()).then(|| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        });
        return Some(too_many(header));
    }
    if let Some(value) = board.take(FaultName::ServerError, operations) {
        return Some(plain(status(&value, 503), "text/plain", ""));
    }
    if let Some(value) = board.take(FaultName::MaintenancePage, operations) {
        return Some(plain(
            status(&value, 200),
            "text/html; charset=utf-8",
            MAINTENANCE,
        ));
    }
    None
}

fn status(value: &Value, default: u16) -> u16 {
    value
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(default)
}

fn too_many(retry_after: Option<String>) -> Response {
    let mut answer = plain(429, "application/json", r#"{"error":"Too Many Requests"}"#);
    if let Some(value) = retry_after.and_then(|value| HeaderValue::from_str(&value).ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

/// An answer with a status, a content type and a body.
pub(crate) fn plain(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    HttpResponse::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .body(body.into())
        .unwrap_or_else(|_| HttpResponse::new(Body::empty()))
}

/// The true answer, after the switches that spoil its delivery.
pub(crate) fn dressed(
    shared: &Shared,
    operations: &[String],
    status: u16,
    body: Vec<u8>,
) -> Response {
    let (slow, truncated, content_type, skew) = {
        let mut board = shared.board();
        (
            board
                .take(FaultName::SlowBytes, operations)
                .map(|value| value.as_u64().unwrap_or(20)),
            board.take(FaultName::TruncatedBody, operations).is_some(),
            board
                .take(FaultName::WrongContentType, operations)
                .map(|value| value.as_str().unwrap_or("text/plain").to_owned()),
            board
                .take(FaultName::ClockSkew, operations)
                .map(|value| value.as_i64().unwrap_or(3_600)),
        )
    };
    let length = body.len();
    let body = Bytes::from(body);
    let content = match (slow, truncated) {
        (Some(pause), _) => in_pieces(body, Duration::from_millis(pause)),
        (None, true) => half(body),
        (None, false) => Body::from(body),
    };
    let mut answer = plain(
        status,
        content_type
            .as_deref()
            .unwrap_or("application/json; charset=utf-8"),
        content,
    );
    if truncated {
        answer
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length.into());
    }
    if let Some(value) = skew.and_then(skewed_date) {
        answer.headers_mut().insert(header::DATE, value);
    }
    answer
}

fn in_pieces(body: Bytes, pause: Duration) -> Body {
    let size = body.len().div_ceil(16).max(1);
    let pieces: Vec<Bytes> = (0..body.len())
        .step_by(size)
        .map(|from| body.slice(from..body.len().min(from + size)))
        .collect();
    Body::from_stream(stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Infallible>(piece)
    }))
}

fn half(body: Bytes) -> Body {
    let first = body.slice(..body.len() / 2);
    let broken = stream::once(async {
        // The first half must have left before the connection breaks.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter([Ok(first)]).chain(broken))
}

fn skewed_date(seconds: i64) -> Option<HeaderValue> {
    let now = jiff::Timestamp::try_from(SystemTime::now()).ok()?;
    let skewed = jiff::Timestamp::from_second(now.as_second() + seconds).ok()?;
    HeaderValue::from_str(&skewed.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}
