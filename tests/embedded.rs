//! With no database configured Concord brings its own, and fetching needs none.

use crate::world::{Answer, World};

/// Runs a program that is told of no database.
async fn alone(world: &World, program: &str, arguments: &[&str]) -> Answer {
    let mut command = world.command(program);
    command.args(arguments).env_remove("DATABASE_URL");
    Answer::of(&mut command).await
}

#[tokio::test]
async fn with_no_database_configured_concord_brings_its_own() {
    let world = World::unmigrated().await;
    let run_sync = env!("CARGO_BIN_EXE_run_sync");
    let first = alone(&world, run_sync, &["--all", "--json"])
        .await
        .expect(0);
    assert_eq!(first.module("clients")["claims"]["inserted"], 40);
    let second = alone(&world, run_sync, &["--all", "--json"])
        .await
        .expect(0);
    let line = second.module("clients");
    assert_eq!(
        line["staged"]["unchanged"], 40,
        "the second run finds what the first left: {line}"
    );
    assert!(line["promotion"].is_null(), "{line}");
    let log = alone(&world, env!("CARGO_BIN_EXE_concord"), &["log", "--json"])
        .await
        .expect(0);
    assert_eq!(
        log.json().as_array().map(Vec::len),
        Some(6),
        "and so does another program"
    );
    let left = pid_files(&world.folder().join("concord-data"));
    assert!(left.is_empty(), "the server was stopped cleanly: {left:?}");
    assert_eq!(
        world
            .count("select count(*) from pg_tables where schemaname = 'ops'")
            .await,
        0,
        "the other database was left alone"
    );
}

/// Every `postmaster.pid` below a folder.
fn pid_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a data directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(pid_files(&path));
        } else if path.ends_with("postmaster.pid") {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn fetching_into_a_file_needs_no_database() {
    let world = World::unmigrated().await;
    let mut command = world.command(env!("CARGO_BIN_EXE_concord"));
    command
        .args(["fetch", "clients", "--out", "clients.jsonl"])
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere");
    Answer::of(&mut command).await.expect(0);
    let text = std::fs::read_to_string(world.folder().join("clients.jsonl")).expect("the file");
    let ids: std::collections::BTreeSet<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("a record a line")["id"]
                .to_string()
        })
        .collect();
    assert_eq!((text.lines().count(), ids.len()), (40, 40));
    assert!(
        !world.folder().join("concord-data").exists(),
        "no server was begun"
    );
}

#[tokio::test]
async fn doctor_only_looks() {
    let world = World::unmigrated().await;
    let doctor = ["doctor", "--offline", "--json"];
    let concord = env!("CARGO_BIN_EXE_concord");
    let answer = alone(&world, concord, &doctor).await.expect(0);
    assert!(answer.stdout.contains("none yet"), "{}", answer.stdout);
    let data = world.folder().join("concord-data");
    assert!(!data.exists(), "no data directory, no server, no tokens");
    let answer = world.concord(&doctor).await.expect(0);
    assert!(
        answer
            .stdout
            .contains("none yet; the first run applies them"),
        "{}",
        answer.stdout
    );
    let schemas = "select count(*) from pg_namespace where nspname in ('ops', 'concord')";
    assert_eq!(
        world.count(schemas).await,
        0,
        "an empty database stays empty"
    );
    world.run_sync(&["--module", "users"]).await.expect(0);
    let answer = world.concord(&doctor).await.expect(0);
    assert!(
        answer.stdout.contains("every hash as it should be"),
        "{}",
        answer.stdout
    );
    world
        .sql("insert into concord.migrations select 9999, 'newer', now(), true, '', 0")
        .await;
    world.concord(&doctor).await.expect(5);
}
