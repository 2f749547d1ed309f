//! Any promotion can be returned to, exactly, and back again.

use std::collections::BTreeMap;

use serde_json::json;

use crate::world::World;

/// More than ten promotions: the first load the account, the others follow edits of the source. Returns what
/// production was after each run, by the number of its last promotion.
async fn storied() -> (World, BTreeMap<i64, String>) {
    let world = World::small().await;
    let mut states = BTreeMap::new();
    for module in [
        "users",
        "clients",
        "pianos",
        "appointments",
        "measurements",
        "timeline",
    ] {
        world.run_sync(&["--module", module]).await.expect(0);
        states.insert(world.head().await, world.exact().await);
    }
    let clients = world.ids_of("clients").await;
    let id = |n: usize| clients[n].clone();
    let edits = [
        json!({ "op": "patch", "kind": "client", "id": id(0), "value": {
            "companyName": "Un", "updatedAt": "2026-05-02T00:00:00Z" } }),
        json!({ "op": "patch", "kind": "client", "id": id(1), "value": { "personalNotes": "Deux", "tags": ["deux"] } }),
        json!([
            { "op": "patch", "kind": "client", "id": id(0), "value": { "companyName": "Trois" } },
            { "op": "patch", "kind": "client", "id": id(2), "value": { "referenceId": "3" } },
        ]),
        json!({ "op": "upsert", "kind": "client", "id": "cli_rollback", "value": {
            "id": "cli_rollback", "companyName": "Nouveau", "status": "ACTIVE", "tags": [],
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } }),
        json!({ "op": "delete", "kind": "client", "id": "cli_rollback" }),
    ];
    for edit in edits {
        world.edit(edit).await;
        world.run_sync(&["--module", "clients"]).await.expect(0);
        states.insert(world.head().await, world.exact().await);
    }
    assert!(states.len() > 10, "{:?}", states.keys());
    (world, states)
}

/// The promotion that ended the first load: one for each module, and one for the readings in notes.
const LOADED: i64 = 7;

async fn return_to(world: &World, number: i64) {
    let number = number.to_string();
    world
        .concord(&[
            "rollback",
            &number,
            "--reason",
            "A test returns.",
            "--actor",
            "tester",
            "--yes",
        ])
        .await
        .expect(0);
}

#[tokio::test]
async fn a_return_to_any_promotion_is_exact_and_can_be_undone() {
    let (world, states) = storied().await;
    let last = world.head().await;
    for (&target, state) in states.iter().rev().skip(1) {
        return_to(&world, target).await;
        assert!(
            world.exact().await == *state,
            "the rows of promotion {target}"
        );
        let number = world.head().await;
        assert_eq!(
            world.state_hash(number).await,
            world.state_hash(target).await,
            "its state hash"
        );
    }
    return_to(&world, last).await;
    assert_eq!(
        world.exact().await,
        states[&last],
        "and back to where it began"
    );
    let number = world.head().await;
    assert_eq!(world.state_hash(number).await, world.state_hash(last).await);
    return_to(&world, 0).await;
    assert!(
        world.rows_of("clients").await.is_empty(),
        "nothing was there before the first"
    );
    return_to(&world, last).await;
    assert_eq!(world.exact().await, states[&last]);
}

#[tokio::test]
async fn the_next_run_leaves_a_rollback_alone_until_the_source_changes() {
    let (world, states) = storied().await;
    let changed = world.ids_of("clients").await.remove(0);
    return_to(&world, LOADED).await;
    for mode in ["incremental", "full"] {
        world.run_sync(&["--all", "--mode", mode]).await.expect(0);
        assert_eq!(
            world.exact().await,
            states[&LOADED],
            "a run reads the same source and undoes nothing"
        );
    }
    world
        .edit(json!({ "op": "patch", "kind": "client", "id": changed, "value": { "companyName": "Quatre" } }))
        .await;
    world.run_sync(&["--all"]).await.expect(0);
    assert_eq!(
        world.row_of("clients", &changed).await["company_name"],
        "Quatre",
        "a record that changes at the source comes through"
    );
    let last = world.head().await;
    let (from, to) = ((last - 1).to_string(), last.to_string());
    let difference = world
        .concord(&["diff", &from, &to, "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(
        difference["rows"].as_array().map(Vec::len),
        Some(1),
        "{difference}"
    );
}

#[tokio::test]
async fn a_replay_of_every_record_leaves_a_rollback_alone() {
    let (world, states) = storied().await;
    let lived = *states.keys().rev().nth(1).expect("a state");
    for (turn, target) in [lived, LOADED].into_iter().enumerate() {
        return_to(&world, target).await;
        assert_eq!(world.exact().await, states[&target]);
        for module in [
            "users",
            "clients",
            "pianos",
            "timeline",
            "measurements",
            "appointments",
        ] {
            let folder = world.copy_module(module);
            world.edit_file(&folder.join("module.yaml"), |text| {
                format!("{text}\n# Read again, {turn}.\n")
            });
        }
        world
            .run_sync(&["--all", "--modules", "modules"])
            .await
            .expect(0);
        assert_eq!(
            world.exact().await,
            states[&target],
            "the source says nothing new"
        );
    }
}

#[tokio::test]
async fn edits_by_hand_are_named_in_the_plan_and_kept() {
    let (world, _) = storied().await;
    let id = world.ids_of("clients").await.remove(0);
    world
        .sql(&format!(
            "update prod.clients set preference_notes = 'À la main' where id = '{id}'"
        ))
        .await;
    let before = world.exact().await;
    let plan = world
        .concord(&[
            "rollback",
            &LOADED.to_string(),
            "--reason",
            "Look.",
            "--dry-run",
            "--json",
        ])
        .await
        .expect(0)
        .json();
    assert_eq!(plan["done"], false);
    let kept = json!([{ "entity": "clients", "entity_id": id, "column": "preference_notes" }]);
    assert_eq!(plan["plan"]["kept_local"], kept, "{plan}");
    assert_eq!(world.exact().await, before, "a plan changes nothing");
    return_to(&world, LOADED).await;
    let row = world.row_of("clients", &id).await;
    assert_eq!(row["preference_notes"], "À la main");
    assert_ne!(row["company_name"], "Trois", "the rest of the row returned");
}

#[tokio::test]
async fn the_log_and_the_differences_say_who_what_and_why() {
    let (world, _) = storied().await;
    return_to(&world, 9).await;
    let log = world.concord(&["log", "--json"]).await.expect(0).json();
    let newest = &log[0];
    assert_eq!(
        (&newest["kind"], &newest["target"]),
        (&json!("rollback"), &json!(9)),
        "{newest}"
    );
    assert_eq!(
        (&newest["actor"], &newest["reason"]),
        (&json!("tester"), &json!("A test returns."))
    );
    let numbers: Vec<i64> = log
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["number"].as_i64())
        .collect();
    assert_eq!(
        numbers,
        (1..=world.head().await).rev().collect::<Vec<_>>(),
        "numbered without a gap"
    );

    let id = world.ids_of("clients").await.remove(0);
    for (value, shown) in [("null", "null"), ("''", "\"\""), ("'x'", "\"x\"")] {
        world
            .sql(&format!(
                "update prod.clients set referred_by = {value} where id = '{id}'"
            ))
            .await;
        let name = format!("Nom {shown}");
        world.edit(json!({ "op": "patch", "kind": "client", "id": id, "value": { "companyName": name } })).await;
        world.run_sync(&["--module", "clients"]).await.expect(0);
        let now = world.head().await;
        let text = world
            .concord(&["diff", "0", &now.to_string(), "--limit", "100000"])
            .await
            .expect(0)
            .stdout;
        let of_row = text
            .split("clients/")
            .find(|part| part.starts_with(&id))
            .expect("the row");
        assert!(
            of_row.contains(&format!("referred_by: absent -> {shown}\n")),
            "{of_row}"
        );
    }
    world.concord(&["diff", "0", "999"]).await.expect(2);
    world
        .concord(&["rollback", "999", "--reason", "No such.", "--yes"])
        .await
        .expect(2);
}

#[tokio::test]
async fn a_rollback_needs_a_reason_and_somebody_who_says_yes() {
    let (world, states) = storied().await;
    world.concord(&["rollback", "3"]).await.expect(2);
    let unasked = world
        .concord(&["rollback", "3", "--reason", "Perhaps."])
        .await
        .expect(2);
    assert!(unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert_eq!(world.exact().await, states[&world.head().await]);
}
