//! Modules that are promised a complete run every so often, and got none.

use serde_json::Value;

use crate::world::World;

#[tokio::test]
async fn a_module_without_a_complete_run_is_late_or_never_ran() {
    let world = World::small().await;
    world.edit_file(&world.folder().join("concord.toml"), |text| {
        format!("{text}expected_every = \"1h\"\n\n[sources.gazelle.modules.clients]\nexpected_every = \"1d\"\n")
    });
    for module in ["users", "clients"] {
        world.run_sync(&["--module", module]).await.expect(0);
    }
    let status = async || -> Vec<Value> {
        let modules = world.concord(&["status", "--json"]).await.expect(0).json();
        let state = |name: &str| modules["modules"][name]["status"].clone();
        ["users", "clients", "pianos"].map(state).into()
    };
    assert_eq!(status().await, ["OK", "OK", "NEVER"]);
    world
        .sql("update ops.runs set finished_at = finished_at - interval '2 hours'")
        .await;
    assert_eq!(status().await, ["LATE", "OK", "NEVER"]);
    let served = world.serve().await;
    let (_, health) = served.get("/api/v1/health").await;
    let health: Value = serde_json::from_str(&health).expect("JSON");
    assert_eq!(health["modules"]["users"]["status"], "LATE");
    assert_eq!(health["modules"]["users"]["expected_period"], 3600);
    assert_eq!(health["modules"]["clients"]["expected_period"], 86400);
    let (_, page) = served.get("/?lang=fr").await;
    assert!(page.contains("En retard") && page.contains("Jamais exécuté"));
    world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(status().await, ["OK", "OK", "NEVER"]);
}

#[tokio::test]
async fn a_period_of_no_module_and_a_length_that_is_none_are_refused() {
    for (line, named) in [
        ("modules.client.expected_every = \"1h\"", "`clients`"),
        ("expected_every = \"soon\"", "12h"),
    ] {
        let world = World::small().await;
        world.edit_file(&world.folder().join("concord.toml"), |text| {
            format!("{text}{line}\n")
        });
        let answer = world.concord(&["status"]).await.expect(2);
        assert!(answer.stderr.contains(named), "{}", answer.stderr);
    }
}
