//! The switches of the HTTP layer: answers given instead of the true one, and what is done to the true one.

use std::{
    convert::Infallible,
    io::{self, Write},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response as HttpResponse, header},
    response::Response,
};
use flate2::{Compression, write::GzEncoder};
use futures::{StreamExt, stream};
use serde_json::Value;

use crate::{faults::FaultName, server::Shared, stats::Stats};

const MAINTENANCE: &str = "<!DOCTYPE html><html lang=\"fr\"><head><title>Maintenance</title></head><body><h1>Nous revenons bientôt</h1></body></html>";

/// The answer that a switch gives in place of the true one.
pub(crate) fn instead(shared: &Shared, operations: &[String]) -> Option<Response> {
    let mut board = shared.board();
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
    if let Some(value) = board.take(FaultName::Redirect, operations) {
        let mut answer = plain(307, "text/plain", "");
        let elsewhere = value.as_str().unwrap_or("http://elsewhere.invalid/");
        if let Ok(value) = HeaderValue::from_str(elsewhere) {
            answer.headers_mut().insert(header::LOCATION, value);
        }
        return Some(answer);
    }
    if let Some(value) = board.take(FaultName::GzipBomb, operations) {
        return Some(bomb(value.as_u64().unwrap_or(512)));
    }
    None
}

/// Spaces without end, as JSON begins with them; packed one megabyte at a time.
fn bomb(megabytes: u64) -> Response {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let _ = packed.write_all(&vec![b' '; 1 << 20]);
    let member = packed.finish().unwrap_or_default();
    // Members of one gzip stream may follow each other.
    let body = member.repeat(usize::try_from(megabytes).unwrap_or(512));
    let mut answer = plain(200, "application/json", body);
    answer
        .headers_mut()
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    answer
}

/// The body in another encoding, and the content type that goes with it.
fn encoded(body: Vec<u8>, way: &str) -> (Vec<u8>, &'static str) {
    let text = String::from_utf8_lossy(&body).into_owned();
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order);
    match way {
        "bom" => (
            [b"\xef\xbb\xbf".as_slice(), &body].concat(),
            "application/json",
        ),
        "utf-16" => (
            [0xff, 0xfe]
                .into_iter()
                .chain(wide(u16::to_le_bytes))
                .collect(),
            "application/json",
        ),
        "utf-16be" => (
            wide(u16::to_be_bytes).collect(),
            "application/json; charset=utf-16be",
        ),
        "latin1" => (
            text.chars()
                .map(|c| u8::try_from(c).unwrap_or(b'?'))
                .collect(),
            "application/json; charset=iso-8859-1",
        ),
        _ => (body, "application/json; charset=iso-8859-1"),
    }
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
    let charset = shared.board().take(FaultName::Charset, operations);
    let (body, charset) = match charset.as_ref().map(|way| way.as_str().unwrap_or("utf-16")) {
        Some(way) => {
            let (body, kind) = encoded(body, way);
            (body, Some(kind.to_owned()))
        }
        None => (body, None),
    };
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
        (Some(pause), _) => {
            let sending = Sending::begin(shared.stats_handle());
            in_pieces(body, Duration::from_millis(pause), sending)
        }
        (None, true) => half(body),
        (None, false) => Body::from(body),
    };
    let mut answer = plain(
        status,
        content_type
            .or(charset)
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

/// An answer that is being sent slowly, for as long as it is kept.
struct Sending(Arc<Mutex<Stats>>);

impl Sending {
    fn begin(stats: Arc<Mutex<Stats>>) -> Self {
        if let Ok(mut stats) = stats.lock() {
            stats.begin_slow();
        }
        Sending(stats)
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Ok(mut stats) = self.0.lock() {
            stats.end_slow();
        }
    }
}

fn in_pieces(body: Bytes, pause: Duration, sending: Sending) -> Body {
    let size = body.len().div_ceil(16).max(1);
    let pieces: Vec<Bytes> = (0..body.len())
        .step_by(size)
        .map(|from| body.slice(from..body.len().min(from + size)))
        .collect();
    Body::from_stream(stream::iter(pieces).then(move |piece| {
        let _kept = &sending;
        async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(piece)
        }
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
