//! Errors beside data: what came is kept, and nothing is taken for gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::landing::lands;
use super::server::{Server, broken, open};
use crate::folder_sources::programs::told;
use crate::folder_sources::rows::text;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_with_holes_deletes_nothing() {
    let (failing, shrunk) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (fails, shrinks) = (failing.clone(), shrunk.clone());
    let server = Server::start("faulty", open, move |field| {
        let fails = fails.load(Ordering::SeqCst);
        let last = if shrinks.load(Ordering::SeqCst) { 34 } else { 35 };
        (field.name == "members").then(|| {
            let members: Vec<Value> = (0..last).map(|n| match n {
                12 if fails => broken("this member cannot be read"),
                _ => json!({
                    "id": format!("m{n}"), "name": format!("Membre {n}"),
                    "note": if n == 21 && fails { broken("this note cannot be read") } else { "là".into() },
                }),
            }).collect();
            json!({ "items": field.window(&members, field.number("offset", 0), field.number("limit", 0)), "total": last })
        })
    }).await;
    let place = lands("faulty", &server, &[("members", 35)]).await;

    failing.store(true, Ordering::SeqCst);
    shrunk.store(true, Ordering::SeqCst);
    let (code, ran) = place.sync().await;
    assert_eq!(
        (code, told(&ran)),
        (
            3,
            vec!["members: PARTIAL 0 new, 0 inserted, 0 updated, 0 deleted".to_owned()]
        )
    );
    let cause = ran[0]["cause"].as_str().unwrap();
    assert!(cause.contains("left 3 holes"), "{cause}");
    let whole = "select count(*) || ' ' || count(note) from prod.members where deleted_at is null";
    assert_eq!(text(&place.production, whole).await, "35 35");

    // The source is well again, and now its silence about the last member is proof.
    failing.store(false, Ordering::SeqCst);
    let (code, ran) = place.sync().await;
    assert_eq!(
        (code, told(&ran)),
        (
            0,
            vec!["members: OK 0 new, 0 inserted, 0 updated, 1 deleted".to_owned()]
        )
    );
    assert_eq!(text(&place.production, whole).await, "34 34");
}
