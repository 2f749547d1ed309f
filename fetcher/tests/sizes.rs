//! Page sizes a source refuses: halved until it takes them, and remembered.

use axum::response::{IntoResponse, Response};
use fetcher::{FetchErrorKind, Module, Source};
use serde_json::json;

use crate::failures::answer;
use crate::source::{Asked, Scripted, ids, kind_of, module, read, relay};

/// A stream of twenty records that takes pages of at most so many, and refuses larger ones its own way.
fn picky(most: u64, refusal: fn(u64) -> Response) -> impl Fn(&Asked) -> Response {
    move |asked| {
        let first = asked.variable("first").as_u64().unwrap_or(1000);
        if first > most {
            return refusal(first);
        }
        let from: u64 = asked
            .variable("after")
            .as_str()
            .map_or(0, |at| at.parse().unwrap());
        let to = (from + first).min(20);
        let nodes: Vec<_> = (from..to).map(|n| json!({ "id": n })).collect();
        let page = json!({ "nodes": nodes, "pageInfo": { "hasNextPage": to < 20, "endCursor": to.to_string() }, "totalCount": 20 });
        axum::Json(json!({ "data": { "allClients": page } })).into_response()
    }
}

fn complaint(message: &str) -> Response {
    axum::Json(json!({ "errors": [{ "message": message }] })).into_response()
}

fn open(server: &Scripted, folder: &std::path::Path) -> Source {
    let mut config = server.config();
    config.limits_folder = Some(folder.to_owned());
    Source::open("demo", &config, None).unwrap()
}

#[tokio::test]
async fn a_page_refused_for_its_size_is_asked_for_by_halves() {
    type Refusal = fn(u64) -> Response;
    let cases: [(&str, u64, Refusal); 5] = [
        ("400", 12, |_| answer(400, &[], "bad request")),
        ("413", 6, |_| answer(413, &[], "")),
        ("414", 1, |_| {
            answer(414, &[("content-type", "text/html")], "<html>")
        }),
        ("complexity", 3, |first| {
            complaint(&format!(
                "Query has complexity of {first}00, which exceeds max complexity of 300"
            ))
        }),
        ("cost", 25, |_| {
            axum::Json(json!({ "errors": [{ "message": "Query cost is 2000", "extensions": { "code": "MAX_COST_EXCEEDED" } }] })).into_response()
        }),
    ];
    for (label, most, refusal) in cases {
        let server = Scripted::start(picky(most, refusal)).await;
        let folder = tempfile::tempdir().unwrap();
        let (pages, failure) = read(&open(&server, folder.path()), &relay()).await;
        assert!(failure.is_none(), "{label}: {failure:?}");
        let expected: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(ids(&pages), expected, "{label}");
        let refused = server
            .asked()
            .iter()
            .filter(|asked| asked.variable("first").as_u64() > Some(most))
            .count();
        let before = server.asked().len();
        assert!(refused <= 7, "{label}: {refused}");
        // Another process of this host, later: it begins where this one came to.
        read(&open(&server, folder.path()), &relay()).await;
        let again = &server.asked()[before..];
        assert!(
            again
                .iter()
                .all(|asked| asked.variable("first").as_u64() <= Some(most)),
            "{label}: {again:?}"
        );
    }
}

#[tokio::test]
async fn what_is_refused_even_alone_has_failed() {
    let server = Scripted::start(|_| answer(413, &[], "no")).await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(
        pages.is_empty()
            && matches!(
                kind_of(&failure),
                Some(FetchErrorKind::Refused { status: 413, .. })
            )
    );
    let sizes: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.variable("first").as_u64().unwrap())
        .collect();
    assert_eq!(sizes, [100, 50, 25, 12, 6, 3, 1]);
}

#[tokio::test]
async fn a_query_that_is_too_deep_is_asked_once_and_told_how_to_be_split() {
    for refused in [
        json!({ "message": "Query has depth of 15, which exceeds max depth of 13" }),
        json!({ "message": "'Q' exceeds maximum operation depth of 10", "locations": [{ "line": 1, "column": 1 }] }),
        json!({ "message": "Not today", "extensions": { "code": "QUERY_TOO_DEEP" } }),
    ] {
        let body = json!({ "errors": [refused, { "message": "Query has complexity of 900" }] });
        let server = Scripted::start(move |_| axum::Json(body.clone()).into_response()).await;
        let (_, failure) = read(&server.open(), &relay()).await;
        assert!(
            matches!(kind_of(&failure), Some(FetchErrorKind::Query { .. })),
            "{failure:?}"
        );
        let told = failure.unwrap().to_string();
        assert!(told.contains("`nested` in module.yaml"), "{told}");
        assert_eq!(server.asked().len(), 1, "no smaller page is less deep");
    }
}

fn numbered() -> Module {
    let query = "query Q($page: Int, $first: Int) { rows(page: $page, first: $first) { id } }";
    module(
        "  connection: rows\n  paging: { style: page, size: 8, size_variable: first }\n",
        query,
        &[],
    )
}

#[tokio::test]
async fn numbered_pages_are_halved_where_their_rows_stay_in_place() {
    let server = Scripted::start(|asked| {
        let size = asked.variable("first").as_u64().unwrap();
        let page = asked.variable("page").as_u64().unwrap_or(1);
        let (from, to) = ((page - 1) * size, (page * size).min(19));
        // The third page of eight holds a record too large to come with seven others.
        if size > 2 && (from..to).contains(&17) {
            return answer(413, &[], "");
        }
        let nodes: Vec<_> = (from..to.max(from)).map(|n| json!({ "id": n })).collect();
        axum::Json(json!({ "data": { "rows": nodes } })).into_response()
    })
    .await;
    let (pages, failure) = read(&server.open(), &numbered()).await;
    assert!(failure.is_none(), "{failure:?}");
    let expected: Vec<String> = (0..19).map(|n| n.to_string()).collect();
    assert_eq!(ids(&pages), expected);
}

/// How deep the fields of a query go.
fn depth(query: &str) -> usize {
    let mut depth = 0;
    let opened = query.chars().map(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        depth
    });
    opened.max().unwrap_or(0)
}

#[tokio::test]
async fn a_query_that_is_too_deep_is_split_at_its_nested_connections() {
    let (whole, module) = (
        Scripted::start(crate::nested::answer).await,
        crate::nested::nested(),
    );
    let (pages, failure) = read(&whole.open(), &module).await;
    assert!(failure.is_none(), "{failure:?}");
    let values = |pages: &[fetcher::Page]| -> Vec<serde_json::Value> {
        let records = pages.iter().flat_map(|page| &page.records);
        records
            .map(|record| serde_json::from_slice(&record.json).unwrap())
            .collect()
    };
    for (most, splits) in [(7, 0), (6, 1), (5, 1), (4, 2)] {
        let server = Scripted::start(move |asked| {
            let query = asked.body["query"].as_str().unwrap();
            if depth(query) > most {
                let told = format!(
                    "Query has depth of {}, which exceeds max depth of {most}",
                    depth(query)
                );
                return axum::Json(json!({ "errors": [{ "message": told }] })).into_response();
            }
            crate::nested::answer(asked).into_response()
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let (split, failure) = read(&open(&server, folder.path()), &module).await;
        assert!(failure.is_none(), "{most}: {failure:?}");
        assert_eq!(values(&split), values(&pages), "{most}");
        let refused = |from: usize| {
            let asked = server.asked().split_off(from);
            let deep = asked
                .iter()
                .filter(|asked| depth(asked.body["query"].as_str().unwrap()) > most);
            deep.count()
        };
        assert_eq!(refused(0), splits, "{most}");
        // Another process of this host, later, knows.
        let before = server.asked().len();
        read(&open(&server, folder.path()), &module).await;
        assert_eq!(refused(before), 0, "{most}");
    }
    // The deepest that is left cannot be asked for less deep.
    let refusal =
        json!({ "errors": [{ "message": "Query has depth of 4, which exceeds max depth of 1" }] });
    let server = Scripted::start(move |_| axum::Json(refusal.clone()).into_response()).await;
    let (_, failure) = read(&server.open(), &module).await;
    let told = failure.unwrap().to_string();
    assert!(told.contains("`nested` in module.yaml"), "{told}");
    assert_eq!(server.asked().len(), 3);
}
