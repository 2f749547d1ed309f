//! Ten runs equal one, and a run over the same data with another definition changes nothing either.

use crate::world::World;

#[tokio::test]
async fn ten_runs_equal_one() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let (production, history) = (world.exact().await, world.history().await);
    let identities = world.identities().await;
    let written = writes(&world).await;
    for run in 2..=10 {
        // A full read leaves nothing out, where an incremental one would read less.
        let mode = if run % 2 == 0 { "full" } else { "incremental" };
        let answer = world.run_sync(&["--all", "--mode", mode]).await.expect(0);
        for line in answer.lines() {
            let claims = &line["claims"];
            let wrote = ["inserted", "updated", "tombstoned", "promoted"]
                .map(|count| claims[count].as_i64());
            assert_eq!(wrote, [Some(0); 4], "run {run}: {line}");
            assert!(line["promotion"].is_null(), "run {run}: {line}");
        }
    }
    assert_eq!(
        world.exact().await,
        production,
        "production is the same byte for byte"
    );
    assert_eq!(
        world.history().await,
        history,
        "the history is the same byte for byte"
    );
    assert_eq!(
        world.identities().await,
        identities,
        "everyone is who they were"
    );
    assert_eq!(
        writes(&world).await,
        written,
        "no row was written again, not even with the same values"
    );
}

/// Which transaction wrote each production row, as the server itself knows.
async fn writes(world: &World) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for table in world.tables().await {
        let sql = format!(
            "select '{table}' as entity, id, xmin::text, ctid::text from prod.\"{table}\" order by id"
        );
        all.extend(world.rows(&sql).await);
    }
    all
}

#[tokio::test]
async fn another_definition_replays_every_record_and_changes_nothing() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let (production, history) = (world.exact().await, world.history().await);
    for module in MODULES {
        let folder = world.copy_module(module);
        world.edit_file(&folder.join("module.yaml"), |text| {
            format!("{text}\n# Read again.\n")
        });
    }
    let answer = world
        .run_sync(&["--all", "--modules", "modules"])
        .await
        .expect(0);
    for module in MODULES {
        let line = answer.module(module);
        let staged = world.staged_of(module).await;
        let claimed = line["claims"]["claimed"].as_i64().expect("a count");
        assert!(
            claimed >= staged,
            "{module} decides all {staged} records again: {line}"
        );
        assert!(line["promotion"].is_null(), "{line}");
    }
    assert_eq!(
        world.exact().await,
        production,
        "numbers, instants and lists compare equal to themselves"
    );
    assert_eq!(world.history().await, history);
    let after = world
        .run_sync(&["--all", "--modules", "modules"])
        .await
        .expect(0);
    let claimed = after.module("clients")["claims"]["claimed"].clone();
    assert_eq!(claimed, 0, "once is enough");
}

const MODULES: [&str; 6] = [
    "users",
    "clients",
    "pianos",
    "timeline",
    "measurements",
    "appointments",
];
