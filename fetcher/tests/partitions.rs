//! A stream that is read in several parts side by side is the same stream.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use fetcher::{Cursor, FetchError, FetchErrorKind, Module, Page, Selection};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::failures::answer;
use crate::source::{Asked, Scripted, ids, kind_of, module, read};

const QUERY: &str = "query Q($first: Int, $after: String, $from: Int, $to: Int) {
  rows(first: $first, after: $after, from: $from, to: $to) { nodes { id at } pageInfo { hasNextPage endCursor } totalCount } }";

fn divided(into: u16) -> Module {
    let divide = match into {
        0 => String::new(),
        into => format!(
            "  divide: {{ into: {into}, at: .at, variable: from, until: to, as: number, from: 0, to: 1000 }}\n"
        ),
    };
    let fetch = format!("  connection: rows\n  paging: {{ size: 30 }}\n{divide}");
    module(&fetch, QUERY, &[])
}

/// How the source understands the two ends.
type Ends = (bool, bool);

/// Two hundred rows whose values go from -40 to 1,155, by a filter with these ends; those it asks for.
fn rows(asked: &Asked, (with_from, with_to): Ends) -> Vec<Value> {
    let end = |name: &str| asked.variable(name).as_i64();
    let all = (0..200_i64).map(|n| (n, n * 6 - 40 + n % 5));
    let fits = all.filter(|(_, at)| {
        end("from").is_none_or(|from| *at > from || (with_from && *at == from))
            && end("to").is_none_or(|to| *at < to || (with_to && *at == to))
    });
    fits.map(|(n, at)| json!({ "id": n, "at": at })).collect()
}

/// A page of those rows.
fn page(asked: &Asked, rows: &[Value]) -> Value {
    let after = asked.variable("after").as_str();
    let start = after.map_or(0, |after| {
        let at = rows
            .iter()
            .position(|row| row["id"].as_i64() == after.parse().ok());
        at.expect("a cursor of the same question") + 1
    });
    let size = asked.variable("first").as_u64().unwrap() as usize;
    let end = (start + size).min(rows.len());
    let last = rows[start..end].last().map(|row| row["id"].to_string());
    json!({ "data": { "rows": { "nodes": rows[start..end], "totalCount": rows.len(),
        "pageInfo": { "hasNextPage": end < rows.len(), "endCursor": last } } } })
}

fn serve(ends: Ends) -> impl Fn(&Asked) -> Response {
    move |asked| axum::Json(page(asked, &rows(asked, ends))).into_response()
}

fn all() -> Vec<String> {
    (0..200).map(|n| n.to_string()).collect()
}

/// Every id, in order, repetitions included.
fn sorted(pages: &[Page]) -> Vec<String> {
    let mut ids = ids(pages);
    ids.sort_by_key(|id| id.parse::<i64>().unwrap());
    ids
}

async fn go_on(server: &Scripted, module: &Module, from: Cursor) -> Vec<Page> {
    let stream = fetcher::pages(&server.open(), module, Selection::default(), Some(from));
    stream.map(Result::unwrap).collect().await
}

#[tokio::test]
async fn parts_hold_every_record_once_and_go_on_from_any_page() {
    for ends in [(true, true), (true, false), (false, true), (false, false)] {
        let server = Scripted::start(serve(ends)).await;
        for into in [0, 2, 4, 7] {
            let module = divided(into);
            let (pages, failure) = read(&server.open(), &module).await;
            assert!(failure.is_none(), "{ends:?} {into}: {failure:?}");
            assert_eq!(sorted(&pages), all(), "{ends:?} {into}");
            let numbers: Vec<_> = pages.iter().map(|page| page.number).collect();
            assert_eq!(numbers, (1..=pages.len() as u32).collect::<Vec<_>>());
            assert!(pages.iter().all(|page| page.total_count == Some(200)));
            let (last, before) = pages.split_last().unwrap();
            assert_eq!(last.next, None, "the end is that of every part");
            for (at, page) in before.iter().enumerate() {
                let rest = go_on(&server, &module, page.next.clone().unwrap()).await;
                let both = [&pages[..=at], &rest].concat();
                assert_eq!(sorted(&both), all(), "{ends:?} {into}, from page {at}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn four_parts_wait_for_the_source_together() {
    // Nobody is answered before four have asked; a reader that asks one by one waits in vain.
    let gate = Arc::new((Mutex::new(0), Condvar::new()));
    let held = gate.clone();
    let server = Scripted::start(move |asked| {
        let (together, moved) = &*held;
        let is_part = !asked.variable("from").is_null() || !asked.variable("to").is_null();
        if is_part && asked.variable("after").is_null() {
            let mut waiting = together.lock().unwrap();
            *waiting += 1;
            moved.notify_all();
            let limit = Duration::from_secs(20);
            let in_time = tokio::task::block_in_place(|| {
                moved
                    .wait_timeout_while(waiting, limit, |waiting| *waiting < 4)
                    .unwrap()
            });
            assert!(!in_time.1.timed_out(), "fewer than four asked");
        }
        axum::Json(page(asked, &rows(asked, (true, true))))
    })
    .await;
    let (pages, failure) = read(&server.open(), &divided(4)).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(sorted(&pages), all());
    assert_eq!(*gate.0.lock().unwrap(), 4);
}

/// Whether the question is the second part's, of four.
fn is_second(asked: &Asked) -> bool {
    asked.variable("from").as_i64() == Some(249)
}

/// Serves as it should, but the second part as told.
async fn but_for_the_second(
    spoil: impl Fn(&Asked, &mut Value) -> Option<Response> + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |asked| {
        let mut body = page(asked, &rows(asked, (true, true)));
        let spoilt = is_second(asked).then(|| spoil(asked, &mut body)).flatten();
        spoilt.unwrap_or_else(|| axum::Json(body).into_response())
    })
    .await
}

#[tokio::test]
async fn what_goes_wrong_in_a_part_is_met_as_in_a_whole() {
    let circle = but_for_the_second(|_, body| {
        body["data"]["rows"]["pageInfo"] = json!({ "hasNextPage": true, "endCursor": "50" });
        None
    });
    let (_, failure) = read(&circle.await.open(), &divided(4)).await;
    let told = failure.as_ref().unwrap().to_string();
    assert!(
        matches!(kind_of(&failure), Some(FetchErrorKind::Loop { .. })),
        "{told}"
    );
    assert!(told.contains("of partition 2 of clients"), "{told}");

    let refused = but_for_the_second(|asked, _| {
        let again = !asked.variable("after").is_null();
        again.then(|| {
            axum::Json(json!({ "errors": [{ "message": "Invalid cursor" }] })).into_response()
        })
    });
    let (_, failure) = read(&refused.await.open(), &divided(4)).await;
    assert!(
        matches!(
            kind_of(&failure),
            Some(FetchErrorKind::CursorRefused { .. })
        ),
        "{failure:?}"
    );

    let stalls = Mutex::new(0);
    let empty = but_for_the_second(move |asked, body| {
        let mut stalls = stalls.lock().unwrap();
        *stalls += 1;
        if *stalls <= 3 {
            let after = asked.variable("after").clone();
            body["data"]["rows"]["nodes"] = json!([]);
            body["data"]["rows"]["pageInfo"] = json!({ "hasNextPage": true, "endCursor": after });
        }
        None
    });
    let (pages, failure) = read(&empty.await.open(), &divided(4)).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(sorted(&pages), all());

    let large = but_for_the_second(|asked, _| {
        (asked.variable("first").as_u64() > Some(9)).then(|| answer(413, &[], ""))
    })
    .await;
    let (pages, failure) = read(&large.open(), &divided(4)).await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(sorted(&pages), all());
    let sizes = |second: bool| {
        let asked = large.asked();
        let of = asked.iter().filter(|asked| is_second(asked) == second);
        of.filter_map(|asked| asked.variable("first").as_u64())
            .min()
    };
    assert_eq!(sizes(true), Some(7));
}

#[tokio::test]
async fn a_source_that_does_not_go_by_the_value_is_told_and_nothing_is_lost_unseen() {
    let server = Scripted::start(|asked| {
        let every: Vec<_> = (0..200).map(|n| json!({ "id": n, "at": n * 6 })).collect();
        axum::Json(page(asked, &every))
    })
    .await;
    let (_, failure) = read(&server.open(), &divided(4)).await;
    let told = failure.unwrap().to_string();
    assert!(told.contains("does not filter by `.at`"), "{told}");
}

#[tokio::test]
async fn a_stream_goes_on_as_it_began() {
    let server = Scripted::start(serve((true, true))).await;
    // From a whole one's cursor.
    let rest = go_on(&server, &divided(4), Cursor("149".to_owned())).await;
    assert_eq!(sorted(&rest), all()[150..]);
    let (pages, _) = read(&server.open(), &divided(4)).await;
    let from = pages[2].next.clone().unwrap();
    // From the cursor of four parts, where the module now says three.
    let both = [
        &pages[..3],
        &go_on(&server, &divided(3), from.clone()).await,
    ]
    .concat();
    assert_eq!(sorted(&both), all());
    // And where it says none, nobody asks the source with such a cursor.
    let before = server.asked().len();
    let stream = fetcher::pages(
        &server.open(),
        &divided(0),
        Selection::default(),
        Some(from),
    );
    let outcomes: Vec<_> = stream.collect().await;
    assert!(matches!(
        &outcomes[..],
        [Err(FetchError {
            kind: FetchErrorKind::CursorRefused { .. },
            ..
        })]
    ));
    assert_eq!(server.asked().len(), before);
    // A second look is not divided.
    let selection = Selection {
        page_size: Some(20),
        ..Selection::default()
    };
    let stream = fetcher::pages(&server.open(), &divided(4), selection, None);
    let pages: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(ids(&pages), all());
}

#[tokio::test]
async fn a_range_is_divided_within_its_own_ends() {
    let query = "query Q($first: Int, $after: String, $since: T, $until: T) { rows(first: $first, after: $after, since: $since, until: $until) {
      nodes { id at } pageInfo { hasNextPage endCursor } totalCount } }";
    let fetch = "  connection: rows\n  read: since\n  since: { variable: since, until: until, column: at, as: date }\n  \
                 divide: { into: 3, at: .at, from: 2011-01-01 }\n";
    let module = module(fetch, query, &[]);
    let server = Scripted::start(|_| {
        axum::Json(json!({ "data": { "rows": { "nodes": [], "totalCount": 0,
            "pageInfo": { "hasNextPage": false, "endCursor": null } } } }))
    })
    .await;
    let selection = Selection {
        since: Some("2026-01-01T00:00:00Z".to_owned()),
        until: Some("2026-04-01T00:00:00Z".to_owned()),
        page_size: None,
    };
    let stream = fetcher::pages(&server.open(), &module, selection, None);
    assert_eq!(stream.count().await, 3);
    let asked = server.asked().into_iter().map(|asked| {
        let [since, until] =
            ["since", "until"].map(|name| asked.variable(name).as_str().unwrap().to_owned());
        format!("{since} to {until}")
    });
    let mut asked: Vec<_> = asked.collect();
    asked.sort();
    asked.dedup();
    // Two days beyond each cut, and the whole for its count.
    assert_eq!(
        asked,
        [
            "2026-01-01 to 2026-02-02",
            "2026-01-01 to 2026-04-01",
            "2026-01-29 to 2026-03-04",
            "2026-02-28 to 2026-04-01",
        ]
    );
}
