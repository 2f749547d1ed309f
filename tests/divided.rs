//! A stream read in four parts side by side lands what it lands as a whole.

use serde_json::json;
use standin::Options;

use crate::world::World;

const CLIENTS: [&str; 6] = [
    "--modules",
    "modules",
    "--module",
    "users",
    "--module",
    "clients",
];

/// Small pages of forty clients, read as a whole or, by the day they were made, in four parts.
async fn world(divided: bool) -> World {
    let world = World::new(Options {
        page_cap: 3,
        ..Options::small()
    })
    .await;
    let folder = world.copy_module("clients");
    if divided {
        world.edit_file(&folder.join("query.graphql"), |text| {
            text.replacen(
                "$after: String)",
                "$after: String, $from: CoreDateTime, $to: CoreDateTime)",
                1,
            )
            .replacen(
                "after: $after)",
                "after: $after, filters: { createdGet: $from, createdLet: $to })",
                1,
            )
        });
        world.edit_file(&folder.join("module.yaml"), |text| {
            let divide = "read: full\n  divide: { into: 4, at: .createdAt, variable: from, until: to, from: 2011-01-01 }\n";
            text.replacen("read: full", divide, 1)
        });
    }
    world
}

#[tokio::test]
async fn four_parts_land_what_a_whole_lands_and_wait_together() {
    let mut landed = Vec::new();
    for (divided, at_once) in [(false, 1), (true, 4)] {
        let world = world(divided).await;
        let slow = json!({ "name": "slow_bytes", "value": 8, "operation": "allClients" });
        world.fault(slow).await;
        let answer = world.run_sync(&CLIENTS).await.expect(0);
        let line = answer.module("clients");
        assert_eq!(line["staged"]["fetched"], 40, "{line}");
        assert_eq!(line["complete"], true, "{line}");
        let stats = world.source.stats().await;
        assert_eq!(stats["most_slow_at_once"], at_once, "{stats}");
        landed.push(world.production().await);
        let again = world.run_sync(&CLIENTS).await.expect(0);
        assert_eq!(again.module("clients")["staged"]["unchanged"], 40);
    }
    assert_eq!(landed[0], landed[1]);
}

#[tokio::test]
async fn a_killed_reading_goes_on_in_every_part() {
    for point in ["fetched:3", "staging:3", "staged:2"] {
        let world = world(true).await;
        world.kill_at(point, &CLIENTS).await;
        let staged = world.staged_of("clients").await;
        assert!(0 < staged && staged < 40, "{point}: {staged}");
        let answer = world.run_sync(&CLIENTS).await.expect(0);
        let line = answer.module("clients");
        assert_eq!(
            line["staged"]["fetched"],
            40 - staged,
            "{point}: what is staged is not asked for again: {line}"
        );
        assert_eq!(line["complete"], true, "{point}: {line}");
    }
}

#[tokio::test]
async fn what_belongs_to_no_part_is_found_by_the_count_and_cursors_may_expire() {
    let world = world(true).await;
    let nodes = world.source.every("allClients", "id").await;
    let edit =
        |value| json!({ "op": "patch", "kind": "client", "id": nodes[7]["id"], "value": value });
    world.edit(edit(json!({ "createdAt": null }))).await;
    let answer = world.run_sync(&CLIENTS).await.expect(0);
    let line = answer.module("clients");
    assert_eq!(line["complete"], true, "{line}");
    assert_eq!(
        line["staged"]["fetched"],
        39 + 40,
        "the second look is whole: {line}"
    );
    assert_eq!(world.staged_of("clients").await, 40);

    let refused = json!({ "name": "cursor_refused", "times": 1, "operation": "allClients" });
    world.fault(refused).await;
    let answer = world.run_sync(&CLIENTS).await.expect(0);
    let line = answer.module("clients");
    assert_eq!(
        (&line["complete"], &line["resumed"]),
        (&json!(true), &json!(true)),
        "{line}"
    );
    assert_eq!(world.deleted_rows_of("clients").await, 0);
}
