//! The routes, and what every answer must carry.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{Next, from_fn, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::monitor::Monitor;
use super::snapshot::verified;
use super::{api, metrics, probes};
use crate::page::{self, Language};

/// A port that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "Port {port} of this machine (127.0.0.1) could not be opened. Stop the program that holds it, or choose another port."
)]
pub struct BindError {
    port: u16,
    source: std::io::Error,
}

/// How long open answers may take once the server is asked to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Every route of `concord serve`.
pub fn router(state: Monitor) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/style.css", get(style))
        .route("/api/v1/health", get(api::v1))
        .route("/api/v6/health", get(api::v6))
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(metrics::metrics))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "There is no such page. Go to / for the state of the data.\n",
            )
        })
        .with_state(state)
        .layer(from_fn(only_this_machine))
        .layer(map_response(with_policy))
}

/// Opens `port` on the loopback interface and nowhere else; port 0 takes a free one.
pub async fn bind(port: u16) -> Result<TcpListener, BindError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| BindError { port, source })
}

/// Serves until `shutdown` is done, then lets open answers end, but not for long.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (asked, stopping) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        shutdown.await;
        drop(asked);
    };
    let patience = async move {
        // An error here means that the sender was dropped, which is the sign.
        let _ = stopping.await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(shutdown) => served,
        () = patience => Ok(()),
    }
}

#[derive(serde::Deserialize)]
struct Visit {
    lang: Option<String>,
}

async fn home(
    State(monitor): State<Monitor>,
    Query(visit): Query<Visit>,
    headers: HeaderMap,
) -> Response {
    let accepted = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let language = page::preferred(visit.lang.as_deref(), accepted);
    let (status, page) = match verified(&monitor).await {
        Ok(health) => (
            StatusCode::OK,
            page::home(&health, &monitor.version, language, &monitor.zone),
        ),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            page::away(&monitor.version, language),
        ),
    };
    (status, of_language(language), page).into_response()
}

fn of_language(language: Language) -> [(HeaderName, HeaderValue); 2] {
    [
        (
            header::CONTENT_LANGUAGE,
            HeaderValue::from_static(language.tag()),
        ),
        (header::VARY, HeaderValue::from_static("accept-language")),
    ]
}

async fn style() -> Response {
    (
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        page::STYLE,
    )
        .into_response()
}

/// Refuses names that are not this machine's: a page elsewhere could point its own name at 127.0.0.1
/// and read our answers through the visitor's browser (DNS rebinding).
async fn only_this_machine(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .map(|host| host.to_str().unwrap_or("?"));
    if host.is_none_or(is_this_machine) {
        return next.run(request).await;
    }
    let sentence = "This server answers only to this machine's own name. Use http://localhost with the same port.\n";
    (StatusCode::MISDIRECTED_REQUEST, sentence).into_response()
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<axum::http::uri::Authority>() else {
        return false;
    };
    let name = authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']');
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Nothing but our own style sheet may be loaded, and nobody may frame, guess at or keep an answer.
async fn with_policy(mut response: Response) -> Response {
    let policy = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in policy {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.:1",
            "a.localhost",
            "127.0.0.1:80",
            "127.8.9.1",
            "[::1]:8080",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "10.0.0.1:8080",
            "[::2]",
            "",
            "?",
            "notlocalhost",
            "<script>",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
