//! Nothing is taken for deleted unless a complete read proved it gone, and too much at once waits for a person.

use serde_json::{Value, json};

use crate::world::World;

async fn loaded() -> World {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    world
}

/// Clients nobody refers to, so that deleting them at the source touches nothing else.
async fn childless(world: &World, count: usize) -> Vec<String> {
    let sql = "select c.id from prod.clients c
               where not exists (select from prod.pianos p where p.client_id = c.id)
                 and not exists (select from prod.timeline_entries e where e.client_id = c.id)
                 and not exists (select from prod.appointments a where a.client_id = c.id) order by c.id";
    let rows = world.rows(sql).await;
    assert!(rows.len() >= count, "the account has {} clients nobody refers to", rows.len());
    rows.iter().take(count).map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

fn deletions(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "op": "delete", "kind": "client", "id": id })).collect()
}

const DELETED: &str = "select count(*) from prod.clients where deleted_at is not null";

#[tokio::test]
async fn a_read_that_is_not_whole_deletes_nothing() {
    let world = loaded().await;
    let gone = childless(&world, 2).await;
    world.edit(deletions(&gone)).await;
    let cases = [
        ("a total that disagrees", json!({ "name": "total_count", "operation": "allClients" }), 3),
        ("rows skipped between pages", json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "shift_rows", "operation": "allClients" }]), 3),
        ("a page that fails for good", json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "server_crash", "operation": "allClients", "after": 2 }]), 0),
        ("errors beside the data", json!({ "name": "errors_with_data", "operation": "allClients" }), 0),
        ("a node that is null", json!({ "name": "null_node", "operation": "allClients" }), 3),
        ("a source out of order", json!({ "name": "server_error", "operation": "allClients" }), 0),
        ("a cursor that stands still", json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "same_cursor", "operation": "allClients" }]), 0),
    ];
    for (label, fault, exit) in cases {
        world.fault(fault).await;
        let answer = world.run_sync(&["--module", "clients"]).await;
        let line = answer.module("clients");
        // 0 in the table stands for any of the codes that say "not whole".
        let fits = if exit == 0 { [3, 5, 75].contains(&answer.code) } else { answer.code == exit };
        assert!(fits, "{label}: exit {} {line}", answer.code);
        assert_eq!(line["complete"], false, "{label}: {line}");
        assert!(line["cause"].as_str().is_some_and(|cause| cause.len() > 20), "{label}: {line}");
        assert_eq!(world.count(DELETED).await, 0, "{label}");
        world.clear_faults().await;
    }
    world.run_sync(&["--module", "clients"]).await.expect(0);
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(world.count(DELETED).await, 2, "a whole read proves it");
}

#[tokio::test]
async fn a_true_deletion_leaves_a_tombstone_with_evidence_and_may_come_back() {
    let world = loaded().await;
    let id = childless(&world, 1).await.remove(0);
    let record = world.source.every("allClients", "id companyName personalNotes status tags createdAt updatedAt").await;
    let record = record.iter().find(|client| client["id"] == id.as_str()).expect("the client").clone();
    world.edit(deletions(std::slice::from_ref(&id))).await;
    let answer = world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(answer.module("clients")["claims"]["tombstoned"], 1);
    let row = format!("select deleted_at is not null as deleted, company_name, version from prod.clients where id = '{id}'");
    let deleted = world.rows(&row).await.remove(0);
    assert_eq!(deleted["deleted"], true, "the row stays, marked");
    let evidence = format!(
        "select c.operation, p.state, p.strategy from history.changes c join staging.records r on r.module = c.module
         and r.source_id = c.source_id join staging.passes p on p.pass_id = r.gone_in
         where c.entity = 'clients' and c.entity_id = '{id}' order by number desc limit 1"
    );
    let evidence = world.rows(&evidence).await;
    let expected = json!({ "operation": "tombstone", "state": "complete", "strategy": "full" });
    assert_eq!(evidence, [expected], "the read that proved it is known");
    let steady = world.exact().await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(world.exact().await, steady, "it is deleted once");

    world.edit(json!({ "op": "upsert", "kind": "client", "id": id, "value": record })).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let back = world.rows(&row).await.remove(0);
    assert_eq!(back["deleted"], false, "it lives again");
    assert!(back["version"].as_i64() > deleted["version"].as_i64(), "as the next version of the same row");
    let history = format!("select operation from history.changes where entity = 'clients' and entity_id = '{id}' order by number, part");
    let operations: Vec<Value> = world.rows(&history).await.iter().map(|row| row["operation"].clone()).collect();
    assert_eq!(operations, [json!("insert"), json!("tombstone"), json!("update")]);
}

#[tokio::test]
async fn a_mass_deletion_waits_for_approval() {
    let world = loaded().await;
    let gone = childless(&world, 12).await;
    world.edit(deletions(&gone)).await;
    let before = world.exact().await;
    for _ in 0..2 {
        let answer = world.run_sync(&["--module", "clients"]).await.expect(4);
        let line = answer.module("clients");
        assert_eq!(line["state"], "BLOCKED");
        assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("concord approve")), "{line}");
        assert_eq!(world.exact().await, before, "nothing was changed");
    }
    let asked = world.rows("select problem_id, why, detail from ops.problems where kind = 'approval' and state = 'open'").await;
    assert_eq!(asked.len(), 1, "one question, however often it is met: {asked:?}");
    assert_eq!(asked[0]["detail"]["sample"].as_array().map(Vec::len), Some(10), "{asked:?}");
    let number = asked[0]["problem_id"].to_string();
    world.concord(&["approve", &number, "--reason", "They moved away.", "--actor", "chef"]).await.expect(0);
    assert_eq!(world.exact().await, before, "approving alone changes nothing");
    let answer = world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(answer.module("clients")["claims"]["tombstoned"], 12);
    assert_eq!(world.count(DELETED).await, 12);
    let spent = "select count(*) from ops.problems where kind = 'approval' and state in ('open', 'approved')";
    assert_eq!(world.count(spent).await, 0, "an approval is for one change set");
    world.concord(&["approve", &number, "--reason", "Again."]).await.expect(2);
}

#[tokio::test]
async fn an_unbelievable_but_whole_read_of_nothing_is_blocked() {
    let world = loaded().await;
    let all = world.rows("select id from prod.clients").await;
    let ids: Vec<String> = all.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
    world.edit(deletions(&ids)).await;
    world.run_sync(&["--module", "clients"]).await.expect(4);
    assert_eq!(world.count(DELETED).await, 0);
}

#[tokio::test]
async fn what_people_deleted_stays_deleted() {
    let world = loaded().await;
    let ids = childless(&world, 2).await;
    world.sql(&format!("update prod.clients set deleted_at = now() where id = '{}'", ids[0])).await;
    world.sql(&format!("delete from prod.clients where id = '{}'", ids[1])).await;
    let edits: Value = ids
        .iter()
        .map(|id| json!({ "op": "patch", "kind": "client", "id": id, "value": { "companyName": "Autre" } }))
        .collect();
    world.edit(edits).await;
    world.run_sync(&["--all"]).await.expect(0);
    let marked = format!("select deleted_at is not null from prod.clients where id = '{}'", ids[0]);
    assert_eq!(world.value(&marked).await, true, "a change at the source does not bring it back");
}
