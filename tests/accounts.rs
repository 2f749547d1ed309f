//! Every run accounts for what it read, says how it ended by its exit code, and leaves others alone.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_counts_of_every_run_add_up() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let faults = [
        json!({ "name": "null_node", "operation": "allClients" }),
        json!({ "name": "field_null", "value": "PrivatePiano.client" }),
        json!({ "name": "unknown_enum" }),
        json!([{ "name": "page_cap", "value": 7 }, { "name": "repeat_rows", "value": 3 }]),
        json!([{ "name": "page_cap", "value": 7 }, { "name": "server_error", "after": 5 }]),
        json!({ "name": "total_count", "value": -3 }),
    ];
    for fault in faults {
        world.fault(fault).await;
        world.run_sync(&["--all", "--mode", "full"]).await;
        world.clear_faults().await;
    }
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    let runs = world.runs().await;
    assert!(runs.len() >= 48, "{} runs", runs.len());
    for run in &runs {
        let count = |name: &str| run[name].as_i64().expect("a count");
        let read = ["new", "changed", "unchanged", "superseded"].map(count);
        assert_eq!(count("fetched"), read.iter().sum::<i64>(), "{run}");
        let decided = ["promoted", "same", "quarantined", "parked", "in_review"].map(count);
        assert_eq!(count("claimed"), decided.iter().sum::<i64>(), "{run}");
        assert_ne!(run["state"], "RUNNING", "{run}");
        assert!(run["state"] == "OK" || run["cause"].is_string(), "{run}");
    }
    let pages = "select (select count(*) from staging.pages where fetched <> new + changed + unchanged + superseded)";
    assert_eq!(world.count(pages).await, 0);
    let lost = world.unaccounted_records().await;
    assert!(
        lost.is_empty(),
        "every staged record is somewhere: {lost:?}"
    );
}

#[tokio::test]
async fn a_module_that_another_process_runs_is_left_alone() {
    let world = World::small().await;
    let mut first = world.halted_at("staged", &["--module", "users"]).await;
    let pid = first.id().expect("a running process").to_string();
    let second = world.run_sync(&["--module", "users"]).await.expect(75);
    let line = second.module("users");
    let cause = line["cause"].as_str().expect("a cause");
    assert!(
        cause.contains(&format!(":{pid}; ")) && cause.contains("since"),
        "it says who: {cause}"
    );
    assert_eq!(line["state"], "WAITING");
    assert_eq!(world.runs().await.len(), 1, "it opened no run of its own");
    world.run_sync(&["--module", "clients"]).await.expect(0);
    first.kill().await.expect("a process to kill");
    let third = world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(
        third.module("users")["resumed"],
        true,
        "a holder that died holds nothing"
    );
}

#[tokio::test]
async fn a_dry_run_shows_the_changes_and_writes_nothing() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let id = world.ids_of("clients").await.remove(0);
    world.edit(json!({ "op": "patch", "kind": "client", "id": id, "value": { "companyName": "Maison sèche" } })).await;
    let before = world.everything().await;
    let dry = world.run_sync(&["--all", "--dry-run"]).await.expect(0);
    assert_eq!(
        world.everything().await,
        before,
        "the whole database is as it was"
    );
    let line = dry.module("clients");
    assert_eq!(
        (&line["dry_run"], &line["claims"]["updated"]),
        (&json!(true), &json!(1)),
        "{line}"
    );
    let row = &line["rows"][0];
    assert_eq!(
        (&row["entity"], &row["entity_id"]),
        (&json!("clients"), &json!(id)),
        "{row}"
    );
    let cells = row["cells"].as_array().expect("cells");
    let cell = cells
        .iter()
        .find(|cell| cell["column"] == "company_name")
        .expect("the changed cell");
    assert_eq!(cell["after"], "Maison sèche", "{cell}");
    world.run_sync(&["--all"]).await.expect(0);
    assert_eq!(
        world.row_of("clients", &id).await["company_name"],
        "Maison sèche",
        "the true run does it"
    );
}

#[tokio::test]
async fn a_first_dry_run_shows_everything_and_leaves_nothing() {
    let world = World::small().await;
    let dry = world
        .run_sync(&["--module", "users", "--dry-run"])
        .await
        .expect(0);
    assert_eq!(dry.module("users")["claims"]["inserted"], 9);
    for table in [
        "staging.records",
        "staging.passes",
        "ops.runs",
        "ops.problems",
        "history.changes",
        "prod.identities",
    ] {
        assert_eq!(
            world.count(&format!("select count(*) from {table}")).await,
            0,
            "{table}"
        );
    }
}

#[tokio::test]
async fn the_exit_code_says_how_it_ended() {
    let world = World::small().await;
    let clients = ["--module", "clients"];
    world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    let cases = [
        (
            "a total that disagrees",
            json!({ "name": "total_count" }),
            3,
            "PARTIAL",
        ),
        (
            "a crash at the source",
            json!({ "name": "server_crash" }),
            75,
            "WAITING",
        ),
        (
            "an outage",
            json!({ "name": "server_error" }),
            75,
            "WAITING",
        ),
        (
            "too many requests",
            json!({ "name": "too_many_requests", "value": 100_000 }),
            75,
            "WAITING",
        ),
        (
            "a query the source refuses",
            json!({ "name": "validation_french" }),
            5,
            "FAILED",
        ),
        (
            "no credentials",
            json!({ "name": "unauthorized" }),
            75,
            "WAITING",
        ),
    ];
    for (label, fault, exit, state) in cases {
        world.fault(fault).await;
        let answer = world.run_sync(&clients).await;
        world.clear_faults().await;
        let line = answer.module("clients");
        assert_eq!(
            (answer.code, &line["state"]),
            (exit, &json!(state)),
            "{label}: {line}"
        );
        let cause = line["cause"].as_str().unwrap_or_default();
        assert!(
            cause.len() > 20 && cause.ends_with(['.', ')', '`']),
            "{label} reads as a sentence: {cause}"
        );
        world.run_sync(&clients).await.expect(0);
    }
}

#[tokio::test]
async fn usage_and_configuration_end_with_2_and_a_remedy() {
    let world = World::unmigrated().await;
    let cases: [(&[&str], &str); 4] = [
        (&[], "--all"),
        (&["--module", "client"], "clients"),
        (&["--all", "--config", "nowhere.toml"], "nowhere.toml"),
        (&["--all", "--modules", "nowhere"], "nowhere"),
    ];
    for (arguments, named) in cases {
        let answer = world.run_sync(arguments).await.expect(2);
        assert!(
            answer.stderr.contains(named),
            "{arguments:?}: {}",
            answer.stderr
        );
    }
    world.edit_file(&world.folder().join("concord.toml"), |text| {
        text + "\n[sourcez]\n"
    });
    let answer = world.run_sync(&["--all"]).await.expect(2);
    assert!(
        answer.stderr.contains("concord.toml") && answer.stderr.contains("sourcez"),
        "{}",
        answer.stderr
    );
    let tables: Value = world
        .value("select count(*) from pg_tables where schemaname = 'ops'")
        .await;
    assert_eq!(tables, 0, "the database was not even opened");
}
