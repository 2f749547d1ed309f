//! The key of a source appears nowhere.

use std::process::Stdio;

use crate::world::World;

#[tokio::test]
async fn the_key_of_a_source_appears_in_no_output_table_or_page() {
    let world = World::small().await;
    let key = standin::API_KEY;
    let mut said = Vec::new();
    // As loud as it gets.
    for arguments in [["--all", "--log", "plain"], ["--all", "--log", "json"]] {
        let mut command = world.command(env!("CARGO_BIN_EXE_run_sync"));
        let output = command
            .args(arguments)
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .output()
            .await
            .expect("it runs");
        assert!(output.status.success());
        said.push((arguments.join(" "), output));
    }
    world
        .fault(serde_json::json!({ "name": "unauthorized" }))
        .await;
    for arguments in [
        vec!["status"],
        vec!["runs"],
        vec!["log"],
        vec!["doctor"],
        vec!["source", "test", "gazelle"],
        vec!["source", "test", "gazelle", "--json"],
        vec!["fetch", "clients", "--out", "-"],
        vec!["module", "preview", "clients"],
    ] {
        let mut command = world.command(env!("CARGO_BIN_EXE_concord"));
        let output = command
            .args(&arguments)
            .env("RUST_LOG", "trace")
            .stdin(Stdio::null())
            .output()
            .await
            .expect("it runs");
        said.push((arguments.join(" "), output));
    }
    world.run_sync(&["--all"]).await;
    world.clear_faults().await;
    for (what, output) in said {
        let all = [output.stdout, output.stderr].concat();
        assert!(!all.is_empty(), "{what} says something");
        assert!(
            !String::from_utf8_lossy(&all).contains(key),
            "`{what}` tells the key"
        );
    }
    let columns = "select table_schema as schema, table_name as name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema in ('ops', 'staging', 'prod', 'history')";
    let tables = world.rows(columns).await;
    assert!(tables.len() > 10, "{tables:?}");
    for table in tables {
        let name = format!(
            "{}.\"{}\"",
            table["schema"].as_str().expect("a name"),
            table["name"].as_str().expect("a name")
        );
        let found = format!("select count(*) from {name} t where t::text like '%{key}%'");
        assert_eq!(world.count(&found).await, 0, "{name} holds the key");
    }
    let config =
        std::fs::read_to_string(world.folder().join("concord.toml")).expect("the configuration");
    assert!(!config.contains(key));
}

#[tokio::test]
async fn no_page_of_the_monitor_tells_a_secret() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    world
        .fault(serde_json::json!({ "name": "unauthorized" }))
        .await;
    world.run_sync(&["--module", "clients"]).await;
    let served = world.serve().await;
    for path in [
        "/",
        "/?lang=fr",
        "/api/v1/health",
        "/api/v6/health",
        "/livez",
        "/readyz",
        "/metrics",
    ] {
        let (status, body) = served.get(path).await;
        assert!(status == 200 || status == 503, "{path}: {status} {body}");
        assert!(!body.is_empty(), "{path} says something");
        for secret in [standin::API_KEY, world.database.url.as_str()] {
            assert!(!body.contains(secret), "{path} tells a secret");
        }
    }
    let (_, health) = served.get("/api/v1/health").await;
    assert!(
        health.contains("clients") && health.contains("last_sync"),
        "{health}"
    );
}
