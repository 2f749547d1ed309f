//! Every class of failure: what it is called, whether it is tried again, and what it says.

use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use fetcher::{Class, FetchError, FetchErrorKind};
use serde_json::json;

use crate::source::{Asked, Scripted, ids, read, relay};

pub const GOOD: &str = r#"{"data":{"allClients":{"nodes":[{"id":"a"}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#;

/// Reads from a source that gives this answer for ever; answers failure and number of requests.
async fn always(
    status: u16,
    headers: &'static [(&str, &str)],
    body: &'static str,
) -> (FetchError, usize) {
    let server = Scripted::start(move |_| answer(status, headers, body)).await;
    let mut config = server.config();
    config.retry.attempts = 3;
    let source = fetcher::Source::open("demo", &config, None).unwrap();
    let (_, failure) = read(&source, &relay()).await;
    (failure.expect("a failure"), server.asked().len())
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> Response {
    let mut response = body.into_response();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    response
}

/// Label, status, headers, body; what it is called, how often it is tried, what it means.
type Case = (
    &'static str,
    u16,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    usize,
    Class,
);

const HTML: &[(&str, &str)] = &[("content-type", "text/html")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("maintenance page with 200", 200, HTML, "<html>Back soon</html>", "Outage", 3, Class::Waiting),
    ("half an answer", 200, JSON, r#"{"data":{"allClients":{"nodes":[{"id":"a"}"#, "Outage", 3, Class::Waiting),
    ("empty body", 200, JSON, "", "Outage", 3, Class::Waiting),
    ("not JSON", 200, JSON, "oops", "Outage", 3, Class::Waiting),
    ("server error", 500, HTML, "boom", "Outage", 3, Class::Waiting),
    ("bad gateway with JSON", 502, JSON, "{}", "Outage", 3, Class::Waiting),
    ("429 without a word", 429, JSON, "", "Throttled", 3, Class::Waiting),
    ("429 with zero", 429, &[("retry-after", "0")], "slow down", "Throttled", 3, Class::Waiting),
    ("429 for a day", 429, &[("retry-after", "86400")], "slow down", "Throttled", 1, Class::Waiting),
    ("throttled with 200", 200, JSON, r#"{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":100,"throttleStatus":{"maximumAvailable":1000,"currentlyAvailable":99.99,"restoreRate":50}}}}"#, "Throttled", 3, Class::Waiting),
    ("rate limited by type with 200", 200, JSON, r#"{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}"#, "Throttled", 3, Class::Waiting),
    ("403 with a time to come back", 403, &[("retry-after", "0")], r#"{"message":"You have exceeded a secondary rate limit"}"#, "Throttled", 3, Class::Waiting),
    ("401", 401, JSON, "no", "Unauthorized", 1, Class::Waiting),
    ("unauthenticated with 200", 200, JSON, r#"{"errors":[{"message":"x","extensions":{"code":"UNAUTHENTICATED"}}]}"#, "Unauthorized", 1, Class::Waiting),
    ("403", 403, HTML, "not you", "Refused", 1, Class::Failed),
    ("404", 404, HTML, "no such page", "Refused", 1, Class::Failed),
    ("redirect elsewhere", 302, &[("location", "http://example.invalid/")], "", "Refused", 1, Class::Failed),
    ("unknown field", 200, JSON, r#"{"errors":[{"message":"Field 'x' doesn't exist on type 'T'","locations":[{"line":1,"column":2}],"path":["query","x"],"extensions":{"code":"undefinedField"}}]}"#, "Query", 1, Class::Failed),
    ("bad query with 400", 400, JSON, r#"{"errors":[{"message":"Syntax Error"}]}"#, "Query", 1, Class::Failed),
    ("errors and null data", 200, JSON, r#"{"data":null,"errors":[{"message":"Syntax","locations":[{"line":1,"column":1}]}]}"#, "Query", 1, Class::Failed),
    ("errors that are no list", 200, JSON, r#"{"errors":"nope"}"#, "Crashed", 3, Class::Failed),
    ("a crash while answering", 200, JSON, r#"{"data":{"allClients":null},"errors":[{"message":"undefined method 'each' for nil","path":["allClients"]}]}"#, "Crashed", 3, Class::Waiting),
    ("a refusal in words that nobody knows", 200, JSON, r#"{"errors":[{"message":"Kind n'est pas inclus(e) dans la liste"}]}"#, "Crashed", 3, Class::Failed),
    ("an error that names no place", 200, JSON, r#"{"errors":[{"message":"Something went wrong"}]}"#, "Crashed", 3, Class::Waiting),
    ("connection is null", 200, JSON, r#"{"data":{"allClients":null}}"#, "Shape", 1, Class::Failed),
    ("connection is absent", 200, JSON, r#"{"data":{}}"#, "Shape", 1, Class::Failed),
    ("nodes is absent", 200, JSON, r#"{"data":{"allClients":{"pageInfo":{"hasNextPage":false}}}}"#, "Shape", 1, Class::Failed),
    ("nodes is a word", 200, JSON, r#"{"data":{"allClients":{"nodes":"x"}}}"#, "Shape", 1, Class::Failed),
    ("no envelope", 200, JSON, r#"{"ok":true}"#, "Shape", 1, Class::Failed),
    ("a list", 200, JSON, "[]", "Shape", 1, Class::Failed),
    ("a day of patience", 503, &[("retry-after", "86400")], "later", "Outage", 1, Class::Waiting),
    ("more, but no cursor", 200, JSON, r#"{"data":{"allClients":{"nodes":[{"id":"a"}],"pageInfo":{"hasNextPage":true,"endCursor":null}}}}"#, "Shape", 1, Class::Failed),
];

/// The variant's name.
fn kind(failure: &FetchError) -> String {
    let debug = format!("{:?}", failure.kind);
    debug
        .split([' ', '{', '('])
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn failures_are_sorted_by_their_body() {
    for (label, status, headers, body, expected, tries, class) in CASES {
        let (failure, asked) = always(*status, headers, body).await;
        let met = (kind(&failure), asked, failure.class());
        assert_eq!(
            met,
            ((*expected).to_owned(), *tries, *class),
            "{label}: {failure}"
        );
        let text = failure.to_string();
        assert!(
            text.starts_with("Asking `demo` for page 1 of clients") && text.ends_with('.'),
            "{label}: {text}"
        );
        assert!(text.len() < 900, "{label}: {text}");
    }
}

#[tokio::test]
async fn a_transient_failure_passes() {
    let server = Scripted::start(|asked: &Asked| match asked.number {
        0 => answer(503, &[("retry-after", "0")], "later"),
        1 => answer(200, &[("content-type", "text/html")], "<html>"),
        2 => answer(429, &[], ""),
        _ => answer(200, &[], GOOD),
    })
    .await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(
        (ids(&pages), server.asked().len()),
        (vec!["a".to_owned()], 4)
    );
}

#[tokio::test]
async fn data_with_errors_is_a_page_with_holes() {
    let server = Scripted::start(|_| {
        axum::Json(json!({
            "data": { "allClients": { "nodes": [ { "id": "a" }, null, { "id": "c", "name": null } ], "pageInfo": { "hasNextPage": false } } },
            "errors": [
                { "message": "name failed", "path": ["allClients", "nodes", 2, "name"] },
                { "message": "not for you", "path": ["allClients", "nodes", 0, "secret"], "extensions": { "code": "UNAUTHORIZED" } },
                { "message": "node failed", "path": ["allClients", "nodes", 1] },
            ],
        }))
    })
    .await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(ids(&pages), ["a", "c"]);
    let holes: Vec<_> = pages[0]
        .holes
        .iter()
        .map(|hole| (hole.path.as_str(), hole.source_id.as_deref()))
        .collect();
    assert_eq!(
        holes,
        [
            ("allClients.nodes.1", None),
            ("allClients.nodes.2.name", Some("c")),
            ("allClients.nodes.0.secret", Some("a")),
            ("allClients.nodes.1", None)
        ]
    );
    assert!(!pages[0].is_complete());
}

#[tokio::test]
async fn a_refused_cursor_asks_for_a_new_beginning() {
    let server = Scripted::start(|_| {
        axum::Json(json!({ "errors": [ { "message": "Invalid cursor \"zzz\"" } ] }))
    })
    .await;
    let from = Some(fetcher::Cursor("zzz".to_owned()));
    let mut stream = fetcher::pages(
        &server.open(),
        &relay(),
        fetcher::Selection::default(),
        from,
    );
    let failure = futures::StreamExt::next(&mut stream)
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        matches!(&failure.kind, FetchErrorKind::CursorRefused { cursor, .. } if cursor == "zzz"),
        "{failure:?}"
    );
    assert_eq!(failure.class(), Class::Partial);
}
