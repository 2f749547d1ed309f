//! Every style of paging reads everything once, and none goes in circles.

use fetcher::{Class, Cursor, FetchErrorKind, Selection, write_jsonl};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::source::{Scripted, ids, kind_of, module, read, relay};

pub fn numbered(from: u64, to: u64) -> Vec<Value> {
    (from..to)
        .map(|n| json!({ "id": format!("cli_{n}"), "name": n }))
        .collect()
}

pub fn expected(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("cli_{n}")).collect()
}

/// Serves `count` rows by Relay cursors, at most `cap` at a time.
async fn relay_source(count: u64, cap: u64) -> Scripted {
    Scripted::start(move |asked| {
        let start = asked
            .variable("after")
            .as_str()
            .map_or(0, |after| after.parse().unwrap());
        let size = asked.variable("first").as_u64().unwrap_or(cap).min(cap);
        let end = (start + size).min(count);
        axum::Json(json!({ "data": { "allClients": {
            "nodes": numbered(start, end),
            "pageInfo": { "hasNextPage": end < count, "endCursor": end.to_string() },
            "totalCount": count,
        } } }))
    })
    .await
}

#[tokio::test]
async fn relay_reads_to_the_end_and_resumes_from_any_cursor() {
    let server = relay_source(250, 100).await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(ids(&pages), expected(250));
    assert_eq!(
        pages.iter().map(|page| page.number).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(
        pages
            .iter()
            .all(|page| page.total_count == Some(250) && page.is_complete())
    );
    assert_eq!(pages[2].next, None);
    assert_eq!(server.asked()[0].variable("first"), 100);
    for (at, page) in pages.iter().enumerate() {
        let Some(next) = page.next.clone() else {
            continue;
        };
        let stream = fetcher::pages(&server.open(), &relay(), Selection::default(), Some(next));
        let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
        assert_eq!(ids(&rest), expected(250)[(at + 1) * 100..]);
    }
}

#[tokio::test]
async fn records_keep_exactly_the_bytes_that_came() {
    let record =
        r#"{ "id" : "cli_\u00e9",  "n": 1e3, "n": 1.000, "s": "\ud800 \u0000", "deep": [[[ ]]] }"#;
    let server = Scripted::start(move |_| {
        format!(r#"{{"data":{{"allClients":{{"pageInfo":{{"hasNextPage":false,"endCursor":null}},"nodes":[ {record} ]}}}}}}"#)
    })
    .await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(pages[0].records[0].json, record.as_bytes());
    assert_eq!(pages[0].records[0].source_id, "cli_é");
}

#[tokio::test]
async fn at_most_two_pages_are_read_ahead() {
    let server = relay_source(10_000, 10).await;
    let mut stream = fetcher::pages(&server.open(), &relay(), Selection::default(), None);
    stream.next().await.unwrap().unwrap();
    // One in hand, one in the channel, one in the sender: nothing more is asked however long we take.
    for _ in 0..200 {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
    assert!(
        server.asked().len() <= 4,
        "{} requests",
        server.asked().len()
    );
}

pub const OFFSET: &str =
    "query Q($limit: Int, $offset: Int) { rows(limit: $limit, offset: $offset) { id name } }";

#[tokio::test]
async fn offset_over_a_plain_list_ends_at_an_empty_page_even_if_the_source_clamps() {
    let server = Scripted::start(|asked| {
        let start = asked.variable("offset").as_u64().unwrap();
        axum::Json(json!({ "data": { "rows": numbered(start, (start + 30).min(70).max(start)) } }))
    })
    .await;
    let module = module(
        "  connection: rows\n  paging: { style: offset, size: 50 }\n",
        OFFSET,
        &[],
    );
    let (pages, failure) = read(&server.open(), &module).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(ids(&pages), expected(70));
    let offsets: Vec<u64> = server
        .asked()
        .iter()
        .map(|a| a.variable("offset").as_u64().unwrap())
        .collect();
    assert_eq!(offsets, [0, 30, 60, 70]);
    assert_eq!(pages[0].next, Some(Cursor("30".to_owned())));
}

#[tokio::test]
async fn page_numbers_stop_at_the_total_and_resume() {
    let query = "query Q($page: Int, $perPage: Int) { found(page: $page, perPage: $perPage) { items { id } info { count } } }";
    let fetch = "  connection: found\n  nodes: items\n  total: info.count\n  paging: { style: page, size: 20, size_variable: perPage }\n";
    let server = Scripted::start(|asked| {
        let page = asked.variable("page").as_u64().unwrap();
        axum::Json(json!({ "data": { "found": {
            "info": { "count": 50 }, "items": numbered((page - 1) * 20, (page * 20).min(50)) } } }))
    })
    .await;
    let module = module(fetch, query, &[]);
    let (pages, failure) = read(&server.open(), &module).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!((ids(&pages), server.asked().len()), (expected(50), 3));
    let stream = fetcher::pages(
        &server.open(),
        &module,
        Selection::default(),
        pages[1].next.clone(),
    );
    let rest: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(ids(&rest), expected(50)[40..]);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_list_is_one_page_and_a_single_object_is_one_record() {
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "viewer": { "rows": numbered(0, 3), "me": { "id": 9 } } } }))
    })
    .await;
    let list = module(
        "  connection: viewer.rows\n",
        "{ viewer { rows { id } } }",
        &[],
    );
    let (pages, failure) = read(&server.open(), &list).await;
    assert!(failure.is_none() && pages.len() == 1 && pages[0].next.is_none());
    assert_eq!(ids(&pages), expected(3));
    let one = module("  connection: viewer.me\n", "{ viewer { me { id } } }", &[]);
    assert_eq!(ids(&read(&server.open(), &one).await.0), ["9"]);
}

#[tokio::test]
async fn a_single_list_that_has_more_is_not_taken_for_all() {
    let query = "{ all { nodes { id } pageInfo { hasNextPage } } }";
    let module = module("  connection: all\n  paging: { style: list }\n", query, &[]);
    let server = Scripted::start(|_| axum::Json(json!({ "data": { "all": { "nodes": numbered(0, 3), "pageInfo": { "hasNextPage": true } } } }))).await;
    let (_, failure) = read(&server.open(), &module).await;
    assert!(failure.unwrap().to_string().contains("reads a single list"));
}

#[tokio::test]
async fn edges_and_lists_below_nodes_are_flattened() {
    let edges = module(
        "  connection: all\n  id: [.kind, .id]\n",
        "query Q($after: String) { all(after: $after) { edges { node { id kind } } pageInfo { hasNextPage endCursor } } }",
        &[],
    );
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "all": { "pageInfo": { "hasNextPage": false, "endCursor": "x" },
            "edges": [ { "node": { "id": 1, "kind": "a" } }, { "node": null }, null, { "node": { "id": 2, "kind": "b" } } ] } } }))
    })
    .await;
    let (pages, _) = read(&server.open(), &edges).await;
    assert_eq!(ids(&pages), ["a:1", "b:2"]);
    let paths: Vec<&str> = pages[0]
        .holes
        .iter()
        .map(|hole| hole.path.as_str())
        .collect();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(paths.contains(&"all.edges.node.1") && paths.contains(&"all.edges.node.2"));

    let below = module(
        "  connection: all\n  nodes: nodes.readings\n",
        "query Q($after: String) { all(after: $after) { nodes { readings { id } } pageInfo { hasNextPage endCursor } } }",
        &[],
    );
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "all": { "pageInfo": { "hasNextPage": false, "endCursor": "x" },
            "nodes": [ { "readings": [ { "id": 1 }, { "id": 2 } ] }, { "readings": [] }, { "readings": null }, { "readings": [ { "id": 3 }, null ] } ] } } }))
    })
    .await;
    let (pages, _) = read(&server.open(), &below).await;
    assert_eq!(ids(&pages), ["1", "2", "3"]);
    assert_eq!(
        pages[0].holes.len(),
        1,
        "a null list is empty, a null record is a hole: {:?}",
        pages[0].holes
    );
}

#[tokio::test]
async fn an_unchanged_cursor_is_a_loop_and_so_is_a_longer_circle() {
    for circle in [1, 2, 5] {
        let server = Scripted::start(move |asked| {
            axum::Json(json!({ "data": { "allClients": { "nodes": numbered(0, 2),
                "pageInfo": { "hasNextPage": true, "endCursor": format!("c{}", asked.number % circle) } } } }))
        })
        .await;
        let (pages, failure) = read(&server.open(), &relay()).await;
        let Some(FetchErrorKind::Loop { cursor, page, .. }) = kind_of(&failure) else {
            panic!("{failure:?}")
        };
        assert!(
            cursor.starts_with('c') && *page as usize == pages.len(),
            "{cursor} {page}"
        );
        assert!(
            pages.len() <= 4 * circle + 2,
            "{circle}: {} pages",
            pages.len()
        );
        assert_eq!(failure.unwrap().class(), Class::Failed);
    }
}

#[tokio::test]
async fn a_source_that_ignores_the_offset_is_a_loop() {
    let server =
        Scripted::start(|_| axum::Json(json!({ "data": { "rows": numbered(0, 10) } }))).await;
    let module = module(
        "  connection: rows\n  paging: { style: offset }\n",
        OFFSET,
        &[],
    );
    let (_, failure) = read(&server.open(), &module).await;
    assert!(
        matches!(kind_of(&failure), Some(FetchErrorKind::Loop { .. })),
        "{failure:?}"
    );
}

#[tokio::test]
async fn an_empty_page_with_more_to_come_is_passed() {
    let server = Scripted::start(|asked| {
        let nodes = if asked.number == 1 { vec![] } else { numbered(asked.number as u64, asked.number as u64 + 1) };
        axum::Json(json!({ "data": { "allClients": { "nodes": nodes,
            "pageInfo": { "hasNextPage": asked.number < 2, "endCursor": asked.number.to_string() } } } }))
    })
    .await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none());
    assert_eq!(ids(&pages), ["cli_0", "cli_2"]);
}

#[tokio::test]
async fn an_empty_page_that_does_not_move_on_is_asked_for_again_a_few_times() {
    for (stalls, passes) in [(3, true), (100, false)] {
        let server = Scripted::start(move |asked| {
            let after = asked.variable("after").clone();
            let stands = asked.number >= 1 && asked.number <= stalls;
            let (nodes, more, end) = match stands {
                true => (vec![], true, after),
                false => (numbered(asked.number as u64, asked.number as u64 + 1), asked.number == 0, json!("x")),
            };
            axum::Json(json!({ "data": { "allClients": { "nodes": nodes, "pageInfo": { "hasNextPage": more, "endCursor": end } } } }))
        })
        .await;
        let (pages, failure) = read(&server.open(), &relay()).await;
        assert_eq!(failure.is_none(), passes, "{failure:?}");
        assert_eq!(
            pages.iter().map(|page| page.number).collect::<Vec<_>>(),
            [1, 2]
        );
    }
}

#[tokio::test]
async fn a_record_without_an_id_gets_a_name_and_a_hole() {
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "allClients": { "nodes": [ { "id": null, "name": 1 }, { "name": 2 }, { "id": 7 } ],
            "pageInfo": { "hasNextPage": false, "endCursor": null } } } }))
    })
    .await;
    let (pages, _) = read(&server.open(), &relay()).await;
    let (again, _) = read(&server.open(), &relay()).await;
    let names = ids(&pages);
    assert!(
        names[0].starts_with("missing-id:")
            && names[1].starts_with("missing-id:")
            && names[0] != names[1]
    );
    assert_eq!(names[2], "7");
    assert_eq!(names, ids(&again), "the made name is stable");
    assert_eq!(pages[0].holes.len(), 2);
}

#[tokio::test]
async fn records_whose_ids_have_different_parts_are_different_records() {
    let list = module(
        "  connection: all\n  id: [.a, .b]\n  paging: { style: list }\n",
        "{ all { a b } }",
        &[],
    );
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "all": [
            { "a": "x:y", "b": "z" }, { "a": "x", "b": "y:z" }, { "a": "q", "b": "r" } ] } }))
    })
    .await;
    let (pages, _) = read(&server.open(), &list).await;
    assert_eq!(ids(&pages), [r"x\:y:z", "x:y:z", "q:r"]);
}

#[tokio::test]
async fn since_and_constants_reach_the_source() {
    let query = "query Q($after: String, $from: DateTime, $to: DateTime, $types: [T!]) { all(after: $after, from: $from, to: $to, types: $types) { nodes { id } pageInfo { hasNextPage endCursor } } }";
    let fetch = "  connection: all\n  read: since\n  since: { variable: from, until: to, column: occurred_at, overlap: 30d }\n  variables: { types: [NOTE, 5] }\n";
    let module = module(fetch, query, &[]);
    assert_eq!(
        module.fetch.since.as_ref().unwrap().overlap.as_secs(),
        30 * 86_400
    );
    let server = Scripted::start(|_| axum::Json(json!({ "data": { "all": { "nodes": [], "pageInfo": { "hasNextPage": false, "endCursor": null } } } }))).await;
    let selection = Selection {
        since: Some("2026-01-01T00:00:00Z".to_owned()),
        until: Some("2026-02-01T00:00:00Z".to_owned()),
        page_size: None,
    };
    let pages: Vec<_> = fetcher::pages(&server.open(), &module, selection, None)
        .collect()
        .await;
    assert!(pages.len() == 1 && pages[0].is_ok());
    read(&server.open(), &module).await;
    let asked = server.asked();
    assert_eq!(
        asked[0].body["variables"],
        json!({ "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z", "types": ["NOTE", 5] })
    );
    assert_eq!(asked[1].body["variables"], json!({ "types": ["NOTE", 5] }));
}

#[tokio::test]
async fn jsonl_has_one_record_per_line() {
    let server = Scripted::start(|_| "{\"data\":{\"allClients\":{\"nodes\":[{\r\n \"id\": 1,\n \"s\": \"a\\nb\"}, {\"id\":2}],\"pageInfo\":{\"hasNextPage\":false,\"endCursor\":null},\"totalCount\":2}}}").await;
    let mut out = Vec::new();
    let stream = fetcher::pages(&server.open(), &relay(), Selection::default(), None);
    let written = write_jsonl(stream, &mut out).await.unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{ \"id\": 1, \"s\": \"a\\nb\"}\n{\"id\":2}\n"
    );
    assert_eq!(
        (written.pages, written.records, written.total_count),
        (1, 2, Some(2))
    );
}
