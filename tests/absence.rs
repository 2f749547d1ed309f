//! Nothing is taken for deleted unless a complete read proved it gone, and too much at once waits for a
//! person.

use serde_json::{Value, json};

use crate::world::{World, pick, texts};

/// A loaded account with this many clients more, to whom nothing else refers.
async fn loaded(count: usize) -> (World, Vec<String>) {
    let world = World::small().await;
    let ids: Vec<String> = (0..count)
        .map(|number| format!("cli_extra{number:02}"))
        .collect();
    let added: Value = ids.iter().map(|id| addition(id)).collect();
    world.edit(added).await;
    world.run_sync(&["--all"]).await.expect(0);
    (world, ids)
}

fn addition(id: &str) -> Value {
    json!({ "op": "upsert", "kind": "client", "id": id, "value": {
        "id": id, "companyName": format!("Maison {id}"), "status": "ACTIVE", "tags": [],
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

fn deletions(ids: &[String]) -> Value {
    ids.iter()
        .map(|id| json!({ "op": "delete", "kind": "client", "id": id }))
        .collect()
}

/// A run of the clients, which ends with this exit code; its line.
async fn run(world: &World, code: i32) -> Value {
    let answer = world.run_sync(&["--module", "clients"]).await;
    answer.expect(code).module("clients")
}

#[tokio::test]
async fn a_read_that_is_not_whole_deletes_nothing() {
    let (world, gone) = loaded(2).await;
    world.edit(deletions(&gone)).await;
    let cases = [
        (
            "a total that disagrees",
            json!({ "name": "total_count", "operation": "allClients" }),
            3,
        ),
        (
            "rows skipped between pages",
            json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "shift_rows", "operation": "allClients" }]),
            3,
        ),
        (
            "a page that fails for good",
            json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "server_crash", "operation": "allClients", "after": 2 }]),
            0,
        ),
        (
            "errors beside the data",
            json!({ "name": "errors_with_data", "operation": "allClients" }),
            0,
        ),
        (
            "a node that is null",
            json!({ "name": "null_node", "operation": "allClients" }),
            3,
        ),
        (
            "a source out of order",
            json!({ "name": "server_error", "operation": "allClients" }),
            0,
        ),
        (
            "a cursor that stands still",
            json!([{ "name": "page_cap", "value": 10, "operation": "allClients" },
            { "name": "same_cursor", "operation": "allClients" }]),
            0,
        ),
    ];
    for (label, fault, exit) in cases {
        world.fault(fault).await;
        let answer = world.run_sync(&["--module", "clients"]).await;
        let line = answer.module("clients");
        // 0 in the table stands for any of the codes that say "not whole".
        let fits = if exit == 0 {
            [3, 5, 75].contains(&answer.code)
        } else {
            answer.code == exit
        };
        assert!(fits, "{label}: exit {} {line}", answer.code);
        assert_eq!(line["complete"], false, "{label}: {line}");
        assert!(
            line["cause"].as_str().is_some_and(|cause| cause.len() > 20),
            "{label}: {line}"
        );
        assert_eq!(world.deleted_rows_of("clients").await, 0, "{label}");
        world.clear_faults().await;
    }
    run(&world, 0).await;
    run(&world, 0).await;
    assert_eq!(
        world.deleted_rows_of("clients").await,
        2,
        "a whole read proves it"
    );
}

#[tokio::test]
async fn a_true_deletion_leaves_a_tombstone_with_evidence_and_may_come_back() {
    let (world, ids) = loaded(1).await;
    let id = &ids[0];
    world.edit(deletions(&ids)).await;
    let line = run(&world, 0).await;
    assert_eq!(line["claims"]["tombstoned"], 1);
    let deleted = world.row_of("clients", id).await;
    assert!(deleted["deleted_at"].is_string(), "the row stays, marked");
    let proof = world.proof_of_absence("clients", id).await;
    let expected = json!({ "state": "complete", "strategy": "full" });
    assert_eq!(
        pick(&proof, &["state", "strategy"]),
        [expected],
        "the read that proved it is known"
    );
    let steady = world.exact().await;
    run(&world, 0).await;
    assert_eq!(world.exact().await, steady, "it is deleted once");

    world.edit(addition(id)).await;
    run(&world, 0).await;
    let back = world.row_of("clients", id).await;
    assert_eq!(back["deleted_at"], Value::Null, "it lives again");
    assert!(
        back["version"].as_i64() > deleted["version"].as_i64(),
        "as the next version of the same row"
    );
    let changes = world.changes_of("clients", id).await;
    assert_eq!(
        texts(&changes, "operation"),
        ["insert", "tombstone", "update"]
    );
}

#[tokio::test]
async fn a_mass_deletion_waits_for_approval() {
    let (world, gone) = loaded(12).await;
    world.edit(deletions(&gone)).await;
    let before = world.exact().await;
    for _ in 0..2 {
        let line = run(&world, 4).await;
        assert_eq!(line["state"], "BLOCKED");
        assert!(
            line["cause"]
                .as_str()
                .is_some_and(|cause| cause.contains("concord approve")),
            "{line}"
        );
        assert_eq!(world.exact().await, before, "nothing was changed");
    }
    let asked = world.open_problems("approval").await;
    assert_eq!(
        asked.len(),
        1,
        "one question, however often it is met: {asked:?}"
    );
    assert_eq!(
        asked[0]["detail"]["sample"].as_array().map(Vec::len),
        Some(10),
        "{asked:?}"
    );
    let number = asked[0]["problem_id"].to_string();
    world
        .concord(&[
            "approve",
            &number,
            "--reason",
            "They moved away.",
            "--actor",
            "chef",
        ])
        .await
        .expect(0);
    assert_eq!(
        world.exact().await,
        before,
        "approving alone changes nothing"
    );
    let line = run(&world, 0).await;
    assert_eq!(line["claims"]["tombstoned"], 12);
    assert_eq!(world.deleted_rows_of("clients").await, 12);
    let spent = "select count(*) from ops.problems where kind = 'approval' and state in ('open', 'approved')";
    assert_eq!(
        world.count(spent).await,
        0,
        "an approval is for one change set"
    );
    world
        .concord(&["approve", &number, "--reason", "Again."])
        .await
        .expect(2);
}

#[tokio::test]
async fn an_unbelievable_but_whole_read_of_nothing_is_blocked() {
    let (world, _) = loaded(0).await;
    let ids = world.ids_of("clients").await;
    world.edit(deletions(&ids)).await;
    run(&world, 4).await;
    assert_eq!(world.deleted_rows_of("clients").await, 0);
}

#[tokio::test]
async fn what_people_deleted_stays_deleted() {
    let (world, ids) = loaded(2).await;
    world
        .sql(&format!(
            "update prod.clients set deleted_at = now() where id = '{}'",
            ids[0]
        ))
        .await;
    world
        .sql(&format!("delete from prod.clients where id = '{}'", ids[1]))
        .await;
    let before = world.exact().await;
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    let folder = world.copy_module("clients");
    world.edit_file(&folder.join("module.yaml"), |text| {
        text + "\n# Read again.\n"
    });
    world
        .run_sync(&["--all", "--modules", "modules"])
        .await
        .expect(0);
    assert_eq!(
        world.exact().await,
        before,
        "the source says nothing new of them"
    );
    let edits: Value = ids
        .iter()
        .map(|id| json!({ "op": "patch", "kind": "client", "id": id, "value": { "companyName": "Autre" } }))
        .collect();
    world.edit(edits).await;
    world
        .run_sync(&["--all", "--modules", "modules"])
        .await
        .expect(0);
    let marked = world.row_of("clients", &ids[0]).await;
    assert!(
        marked["deleted_at"].is_string(),
        "a mark stays whatever the source says"
    );
    assert_eq!(
        world.row_of("clients", &ids[1]).await["company_name"],
        "Autre",
        "a row that was taken out returns with the source's next change"
    );
}

#[tokio::test]
async fn what_a_list_left_out_and_the_source_still_has_is_not_deleted() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let appointments = ["--module", "appointments"];
    world
        .fault(json!({ "name": "event_vanish_from_lists", "value": 2 }))
        .await;
    let line = world
        .run_sync(&appointments)
        .await
        .expect(3)
        .module("appointments");
    assert_eq!(
        (&line["state"], &line["complete"]),
        (&json!("PARTIAL"), &json!(false))
    );
    let cause = line["cause"].to_string();
    assert!(
        cause.contains("left out 2 records that it still has"),
        "{cause}"
    );
    assert_eq!(world.deleted_rows_of("appointments").await, 0);
    world.clear_faults().await;
    world
        .fault(json!({ "name": "event_vanish", "value": 2 }))
        .await;
    let line = world
        .run_sync(&appointments)
        .await
        .expect(0)
        .module("appointments");
    assert_eq!(
        line["claims"]["tombstoned"], 2,
        "asked for by their ids, they are not there: {line}"
    );
    assert_eq!(world.deleted_rows_of("appointments").await, 2);
    world.clear_faults().await;
    world.run_sync(&appointments).await.expect(0);
    assert_eq!(
        world.deleted_rows_of("appointments").await,
        0,
        "and they come back"
    );
}

#[tokio::test]
async fn a_module_may_want_to_miss_a_record_more_than_once() {
    let (world, ids) = loaded(2).await;
    let folder = world.copy_module("clients");
    world.edit_file(&folder.join("module.yaml"), |text| {
        text.replacen("  id: .id\n", "  id: .id\n  absences: 2\n", 1)
    });
    let missed = async || {
        let arguments = ["--module", "clients", "--modules", "modules"];
        world.run_sync(&arguments).await.expect(0);
        world.deleted_rows_of("clients").await
    };
    world.edit(deletions(&ids[..1])).await;
    assert_eq!(missed().await, 0, "missed once");
    world.edit(addition(&ids[0])).await;
    assert_eq!(missed().await, 0, "seen again");
    world.edit(deletions(&ids)).await;
    assert_eq!(
        missed().await,
        0,
        "both missed once, one of them after it was seen again"
    );
    assert_eq!(missed().await, 2, "missed twice in a row");
    assert_eq!(
        world.count("select count(*) from staging.absences").await,
        0
    );
}
