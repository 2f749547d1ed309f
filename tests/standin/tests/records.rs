use serde_json::{Value, json};

use crate::stand::{Stand, ids};

async fn client(stand: &Stand, id: &str) -> Value {
    let query = "query($id: String) { client(id: $id) { id companyName tags personalNotes updatedAt defaultContact { firstName defaultEmail { email } } } }";
    stand.ask_with(query, json!({"id": id})).await["data"]["client"].take()
}

#[tokio::test]
async fn records_are_upserted_patched_and_deleted_and_reset_brings_them_back() {
    let stand = Stand::small().await;
    let before = ids(&stand.walk("allClients", "id", 100).await.0);
    stand.admin("records", json!([
        {"op": "upsert", "kind": "client", "id": "cli_made", "value": {"companyName": "Neuve", "tags": []}},
        {"op": "patch", "kind": "client", "id": before[0], "value": {
            "companyName": null, "tags": {"$absent": true}, "defaultContact.defaultEmail": {"email": "new@example.org"}}},
        {"op": "delete", "kind": "client", "id": before[1]},
    ])).await;
    let (nodes, total) = stand.walk("allClients", "id", 100).await;
    assert_eq!(total as usize, before.len());
    assert_eq!(ids(&nodes).last().map(String::as_str), Some("cli_made"));
    assert!(!ids(&nodes).contains(&before[1]));
    assert_eq!(
        client(&stand, "cli_made").await,
        json!({
        "id": "cli_made", "companyName": "Neuve", "tags": [], "personalNotes": null, "updatedAt": null, "defaultContact": null})
    );
    let patched = client(&stand, &before[0]).await;
    assert_eq!(
        (&patched["companyName"], patched.get("tags")),
        (&Value::Null, None)
    );
    assert_eq!(
        patched["defaultContact"]["defaultEmail"]["email"],
        "new@example.org"
    );
    assert!(patched["defaultContact"]["firstName"].is_string());
    stand.admin("reset", json!({})).await;
    assert_eq!(ids(&stand.walk("allClients", "id", 100).await.0), before);
}

#[tokio::test]
async fn a_merge_moves_every_child_and_removes_the_source() {
    let stand = Stand::small().await;
    let pianos = stand.walk("allPianos", "id client { id }", 100).await.0;
    let clients = ids(&stand.walk("allClients", "id", 100).await.0);
    let source = pianos
        .iter()
        .filter_map(|piano| piano["client"]["id"].as_str())
        .find(|id| clients.contains(&(*id).to_owned()))
        .expect("a listed owner")
        .to_owned();
    let target = clients
        .iter()
        .find(|id| **id != source)
        .expect("another client")
        .clone();
    let count = async |id: &str| {
        let query = "query($id: String) { allTimelineEntries(clientId: $id, first: 1) { totalCount } allPianos(filters: {clientId: $id}) { totalCount } }";
        let answer = stand.ask_with(query, json!({"id": id})).await;
        ["allTimelineEntries", "allPianos"].map(|field| {
            answer["data"][field]["totalCount"]
                .as_u64()
                .expect("a count")
        })
    };
    let (from, to) = (count(&source).await, count(&target).await);
    stand
        .admin("merge_clients", json!({"source": source, "target": target}))
        .await;
    assert_eq!(count(&target).await, [from[0] + to[0], from[1] + to[1]]);
    assert_eq!(count(&source).await, [0, 0]);
    assert_eq!(client(&stand, &source).await, Value::Null);
    let again = stand.ask_with(
        "mutation($s: String!, $t: String!) { mergeClients(input: {sourceClientId: $s, targetClientId: $t}) { client { id } mutationErrors { messages type } } }",
        json!({"s": source, "t": target}),
    ).await;
    assert_eq!(
        again["data"]["mergeClients"],
        json!({"client": null, "mutationErrors": [{"messages": ["Le client est introuvable"], "type": "NOT_FOUND"}]})
    );
}

#[tokio::test]
async fn events_vanish_come_back_and_change_hands() {
    let stand = Stand::small().await;
    let lists = async || ids(&stand.walk("allEventsBatched", "id", 100).await.0);
    let before = lists().await;
    let single = async || {
        stand
            .ask_with(
                "query($id: String!) { event(eventId: $id) { id } }",
                json!({"id": before[0]}),
            )
            .await["data"]["event"]
            .take()
    };
    for (name, found) in [
        ("event_vanish", Value::Null),
        ("event_vanish_from_lists", json!({"id": before[0]})),
    ] {
        stand.fault(name, json!(before[0])).await;
        assert_eq!(lists().await, before[1..], "{name}");
        assert_eq!(single().await, found, "{name}");
        stand.admin("faults", json!({"clear": [name]})).await;
        assert_eq!(lists().await, before, "{name}");
    }
    let users = stand.ask("{ allUsers { id } }").await["data"]["allUsers"].take();
    stand
        .fault(
            "event_reassigned",
            json!({"event": before[2], "user": users[4]["id"]}),
        )
        .await;
    let events = stand
        .walk("allEventsBatched", "id user { id }", 100)
        .await
        .0;
    assert_eq!(events[2]["user"], users[4]);
}

#[tokio::test]
async fn an_old_row_is_edited_an_id_is_reused_and_news_arrive_late() {
    let stand = Stand::small().await;
    stand.fault("old_row_edited", json!("client")).await;
    let edited = stand
        .walk("allClients", "createdAt updatedAt personalNotes", 100)
        .await
        .0;
    let edited: Vec<_> = edited
        .iter()
        .filter(|node| node["createdAt"] == "2006-06-01T12:00:00Z")
        .collect();
    assert_eq!(
        (edited.len(), &edited[0]["updatedAt"]),
        (1, &json!("2026-06-01T12:00:00Z"))
    );

    let pianos = stand
        .walk("allPianos", "id serialNumber make model", 100)
        .await
        .0;
    stand
        .fault(
            "id_reuse",
            json!({"kind": "piano", "from": pianos[0]["id"], "to": pianos[1]["id"]}),
        )
        .await;
    let query = "query($id: String) { piano(id: $id) { serialNumber make model } }";
    let heir = stand.ask_with(query, json!({"id": pianos[0]["id"]})).await["data"]["piano"].take();
    assert_eq!(
        (&heir["serialNumber"], &heir["make"]),
        (&pianos[1]["serialNumber"], &pianos[1]["make"])
    );

    let entries = stand
        .walk("allTimelineEntries", "id client { id } piano { id }", 100)
        .await
        .0;
    let news = entries
        .iter()
        .position(|entry| entry["piano"].is_object())
        .expect("an entry about a piano");
    stand.fault("propagation_delay", json!(news + 1)).await;
    let query = "query($c: String, $p: String) { byClient: allTimelineEntries(clientId: $c) { nodes { id } } byPiano: allTimelineEntries(pianoId: $p) { nodes { id } } whole: allTimelineEntries(first: 1) { nodes { id } } }";
    let answer = stand
        .ask_with(
            query,
            json!({"c": entries[news]["client"]["id"], "p": entries[news]["piano"]["id"]}),
        )
        .await;
    let holds = |alias: &str| {
        answer["data"][alias]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .any(|node| node["id"] == entries[news]["id"])
    };
    assert_eq!(
        [holds("byClient"), holds("byPiano"), holds("whole")],
        [false, true, false]
    );
}

#[tokio::test]
async fn raw_text_reaches_the_wire_as_it_stands() {
    let stand = Stand::small().await;
    let first = ids(&stand.walk("allClients", "id", 1).await.0).swap_remove(0);
    let raw = r#""\ud800 alone","companyName":1e999"#;
    let edit = json!({"op": "patch", "kind": "client", "id": first, "value": {"companyName": {"$raw": raw}}});
    stand.admin("records", edit).await;
    let answer = stand
        .send(
            "{ allClients(first: 1) { nodes { companyName } } }",
            json!({}),
        )
        .await;
    let body = answer.text().await.expect("a body");
    assert!(
        body.contains(&format!(r#"{{"companyName":{raw}}}"#)),
        "{body}"
    );
}

#[tokio::test]
async fn a_filter_whose_variable_is_not_given_leaves_the_others_in_force() {
    let stand = Stand::small().await;
    let query = "query($from: CoreDateTime, $to: CoreDateTime) {
        allClients(filters: { createdGet: $from, createdLet: $to }) { totalCount } }";
    let mut counts = Vec::new();
    for variables in [
        json!({}),
        json!({ "from": "2018-01-01T00:00:00Z" }),
        json!({ "to": "2018-01-01T00:00:00Z" }),
    ] {
        let answer = stand.ask_with(query, variables).await;
        let count = answer["data"]["allClients"]["totalCount"].as_i64();
        counts.push(count.expect("a count"));
    }
    assert!(counts[1] > 0 && counts[2] > 0, "{counts:?}");
    assert_eq!(counts[0], counts[1] + counts[2]);
}
