use std::collections::HashSet;

use serde_json::json;
use standin::{BulkOptions, Options};

use crate::stand::{Stand, ids};

#[tokio::test]
async fn every_connection_walked_to_its_end_gives_each_id_once_and_the_announced_total() {
    let stand = Stand::small().await;
    for (field, prefix) in [
        ("allClients", "cli_"),
        ("allPianos", "ins_"),
        ("allEventsBatched", "evt_"),
        ("allTimelineEntries", "t"),
        ("allInvoices", "inv_"),
        ("allEstimates", "est_"),
    ] {
        for first in [7, 100, 1_000] {
            let (nodes, total) = stand.walk(field, "id", first).await;
            let ids = ids(&nodes);
            assert_eq!(ids.len() as u64, total, "{field} by {first}");
            assert_eq!(
                ids.iter().collect::<HashSet<_>>().len(),
                ids.len(),
                "{field} repeats an id"
            );
            assert!(ids.iter().all(|id| id.starts_with(prefix)), "{field}");
        }
    }
    let volumes = Options::small().volumes();
    assert_eq!(
        stand.walk("allTimelineEntries", "id", 100).await.1,
        volumes.timeline as u64
    );
    assert_eq!(
        stand.walk("allClients", "id", 100).await.1,
        volumes.clients as u64
    );
}

#[tokio::test]
async fn asking_for_too_much_is_clamped_and_asking_without_first_gives_everything() {
    let stand = Stand::with(Options {
        page_cap: 10,
        ..Options::small()
    })
    .await;
    let clamped = stand
        .ask("{ allClients(first: 1000) { nodes { id } totalCount } }")
        .await;
    assert_eq!(
        clamped["data"]["allClients"]["nodes"]
            .as_array()
            .map(Vec::len),
        Some(10)
    );
    let whole = stand
        .ask("{ allClients { nodes { id } totalCount } }")
        .await;
    assert_eq!(
        whole["data"]["allClients"]["nodes"]
            .as_array()
            .map(Vec::len),
        Some(40)
    );
}

#[tokio::test]
async fn the_same_options_give_the_same_bytes_and_another_seed_does_not() {
    let query = "{ allClients { nodes { id companyName tags createdAt defaultContact { firstName defaultPhone { phoneNumber } } } } \
                 allTimelineEntries(first: 100) { nodes { id occurredAt summary comment client { id } } } }";
    let mut bodies = Vec::new();
    for seed in [2011, 2011, 2012] {
        let stand = Stand::with(Options {
            seed,
            ..Options::small()
        })
        .await;
        bodies.push(
            stand
                .send(query, json!({}))
                .await
                .text()
                .await
                .expect("a body"),
        );
    }
    assert!(bodies[0] == bodies[1], "seed 2011 twice");
    assert!(bodies[0] != bodies[2], "seeds 2011 and 2012");
}

#[tokio::test]
async fn a_page_stays_right_while_rows_come_and_go_before_it() {
    let stand = Stand::small().await;
    let query = "query($after: String) { allTimelineEntries(first: 5, after: $after) { edges { cursor node { id } } } }";
    let all = ids(&stand.walk("allTimelineEntries", "id", 100).await.0);
    let first = stand.ask_with(query, json!({"after": null})).await;
    let cursor = &first["data"]["allTimelineEntries"]["edges"][4]["cursor"];
    let edit = json!({"op": "upsert", "kind": "timeline", "id": "tme_new0", "value": {"type": "USER_COMMENT", "occurredAt": "2026-06-01T11:59:00Z"}});
    stand.admin("records", edit).await;
    let id_after = |answer: &serde_json::Value| {
        answer["data"]["allTimelineEntries"]["edges"][0]["node"]["id"].clone()
    };
    assert_eq!(
        id_after(&stand.ask_with(query, json!({"after": cursor})).await),
        all[5]
    );
    stand.fault("offset_cursors", json!(null)).await;
    assert_eq!(
        id_after(&stand.ask_with(query, json!({"after": cursor})).await),
        all[4],
        "positions shift"
    );
}

#[tokio::test]
async fn nested_connections_are_paged_too() {
    let stand = Stand::small().await;
    let (clients, _) = stand
        .walk(
            "allClients",
            "id allPianos { totalCount nodes { id } }",
            100,
        )
        .await;
    let owner = clients
        .iter()
        .max_by_key(|client| client["allPianos"]["totalCount"].as_u64())
        .expect("clients");
    let total = owner["allPianos"]["totalCount"].as_u64().expect("a count");
    assert!(total >= 2, "an institution owns several pianos");
    let query = "query($id: String, $after: String) { client(id: $id) { allPianos(first: 1, after: $after) { nodes { id client { id } } pageInfo { hasNextPage endCursor } } } }";
    let (mut seen, mut after) = (Vec::new(), json!(null));
    loop {
        let answer = stand
            .ask_with(query, json!({"id": owner["id"], "after": after}))
            .await;
        let page = &answer["data"]["client"]["allPianos"];
        assert_eq!(page["nodes"][0]["client"]["id"], owner["id"]);
        seen.extend(ids(page["nodes"].as_array().expect("nodes")));
        if page["pageInfo"]["hasNextPage"] != true {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(
        seen,
        ids(owner["allPianos"]["nodes"].as_array().expect("nodes"))
    );
}

#[tokio::test]
async fn bulk_pages_hold_every_client_once() {
    let options = BulkOptions {
        port: 0,
        seed: 2011,
        clients: 257,
        query: None,
    };
    let bulk = Stand {
        running: standin::serve_bulk(options).await.expect("a free port"),
        ..Stand::small().await
    };
    let (nodes, total) = bulk.walk("allClients", "id", 100).await;
    assert_eq!(
        (total, ids(&nodes).iter().collect::<HashSet<_>>().len()),
        (257, 257)
    );
    assert!(
        nodes
            .iter()
            .all(|node| node["defaultClientLocalization"]["locale"].is_string()),
        "records are real client nodes"
    );
}
