//! Answers that a proxy repeats.

use fetcher::FetchErrorKind;
use serde_json::{Value, json};

use crate::paging::{OFFSET, expected, numbered};
use crate::source::{Asked, Scripted, ids, kind_of, module, read, relay};

/// Serves pages of ten, but repeats the answer before this often from the third question on.
fn stale(
    times: usize,
    mut answers: impl FnMut(&Asked) -> Value + Send + 'static,
) -> impl Fn(&Asked) -> axum::Json<Value> {
    let held = std::sync::Mutex::new((Value::Null, move |asked: &Asked| answers(asked)));
    move |asked| {
        let (last, answers) = &mut *held.lock().unwrap();
        if !(2..2 + times).contains(&asked.number) {
            *last = answers(asked);
        }
        axum::Json(last.clone())
    }
}

#[tokio::test]
async fn a_page_that_a_proxy_repeats_is_asked_for_again_and_noticed() {
    let by_cursor = |asked: &Asked| {
        let from: u64 = asked
            .variable("after")
            .as_str()
            .map_or(0, |after| after.parse().unwrap());
        json!({ "data": { "allClients": { "nodes": numbered(from, from + 10),
            "pageInfo": { "hasNextPage": from < 40, "endCursor": (from + 10).to_string() } } } })
    };
    let by_offset = |asked: &Asked| {
        let from = asked.variable("offset").as_u64().unwrap().min(50);
        json!({ "data": { "rows": numbered(from, (from + 10).min(50)) } })
    };
    let offset = module(
        "  connection: rows\n  paging: { style: offset }\n",
        OFFSET,
        &[],
    );
    for times in [1, 3] {
        let cursors = Scripted::start(stale(times, by_cursor)).await;
        let offsets = Scripted::start(stale(times, by_offset)).await;
        for (server, module) in [(cursors, relay()), (offsets, offset.clone())] {
            let source = server.open();
            let (pages, failure) = read(&source, &module).await;
            assert!(failure.is_none(), "{times}: {failure:?}");
            assert_eq!(ids(&pages), expected(50), "{times}");
            assert_eq!(source.take_diagnostics("clients").repeated, times as u32);
            assert_eq!(
                source.take_diagnostics("clients"),
                fetcher::ResponseDiagnostics::default()
            );
        }
    }
    let server = Scripted::start(stale(100, by_cursor)).await;
    let (_, failure) = read(&server.open(), &relay()).await;
    assert!(
        matches!(kind_of(&failure), Some(FetchErrorKind::Loop { .. })),
        "{failure:?}"
    );
}
