//! A monitor over a seeded database, and visits to it.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use jiff::tz::TimeZone;
use sqlx::PgPool;
use tower::ServiceExt;

use crate::{ModuleInfo, Monitor, router};

pub(super) const MODULES: [&str; 12] = [
    "users",
    "clients",
    "pianos",
    "timeline",
    "measurements",
    "appointments",
    "events",
    "invoices",
    "estimates",
    "contacts",
    "photos",
    "quotes",
];

pub(super) fn module(name: &str) -> ModuleInfo {
    ModuleInfo {
        name: name.into(),
        source: "gazelle".into(),
        entity: name.into(),
        expected_period: Some(Duration::from_secs(86_400)),
    }
}

pub(super) fn modules() -> Vec<ModuleInfo> {
    MODULES.map(module).into()
}

pub(super) async fn seed(pool: &PgPool) {
    sqlx::raw_sql(include_str!("seed.sql"))
        .execute(pool)
        .await
        .expect("the seed");
}

pub(super) fn monitor(pool: &PgPool, modules: Vec<ModuleInfo>) -> Router {
    let zone = TimeZone::get("America/Montreal").expect("a zone");
    router(Monitor {
        pool: pool.clone(),
        modules: modules.into(),
        version: "1.2.3".into(),
        zone,
    })
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

pub(super) async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 10_000_000).await.expect("a body");
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.into()).expect("text"),
    }
}

/// The text with every date, and the time behind it, made the same, and one tag per line.
pub(super) fn redacted(text: &str) -> String {
    let is_date = |at: &[u8]| {
        at.len() >= 10
            && at[..10].iter().enumerate().all(|(i, b)| {
                if i == 4 || i == 7 {
                    *b == b'-'
                } else {
                    b.is_ascii_digit()
                }
            })
    };
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if is_date(rest.as_bytes()) {
            kept.push_str("[time]");
            rest = &rest[rest.find(['"', ')', '<']).unwrap_or(rest.len())..];
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    kept.replace("><", ">\n<")
}
