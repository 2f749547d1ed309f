//! K10: programs killed in the middle of a migration and of a rollback.

use std::process::Stdio;

use super::line::{Line, Then};
use super::oracle::Trial;
use crate::world::{World, pick};

/// Starts a program and kills it when its transaction is about to commit, as `kill -9` does.
async fn killed_at_commit(
    world: &World,
    line: &Line,
    says: &'static str,
    program: &str,
    arguments: &[&str],
) {
    line.at_commit(1, says, Then::Held);
    let mut child = world
        .command(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a program");
    line.happened().await;
    child.kill().await.expect("a process to kill");
}

#[tokio::test]
async fn a_migration_that_is_killed_leaves_nothing_and_is_done_by_the_next_program() {
    let mut world = World::unmigrated().await;
    let line = Line::before(&world.database.url).await;
    world.database.url = line.url(&world.database.url);
    let ours = "select count(*) from pg_namespace where nspname in ('ops', 'staging', 'prod', 'history', 'concord')";
    for (program, arguments) in [
        (env!("CARGO_BIN_EXE_concord"), &["migrate"][..]),
        (env!("CARGO_BIN_EXE_run_sync"), &["--module", "users"]),
    ] {
        killed_at_commit(
            &world,
            &line,
            "insert into concord.migrations",
            program,
            arguments,
        )
        .await;
        assert_eq!(world.count(ours).await, 0, "{program}");
    }
    line.go_on();
    world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(
        pick(&world.runs().await, &["state", "resumed"]),
        [serde_json::json!({ "state": "OK", "resumed": false })],
        "nothing of the killed ones is left"
    );
}

#[tokio::test]
async fn a_rollback_that_is_killed_changes_nothing_and_may_be_done_again() {
    let mut trial = Trial::begin().await;
    let states = async |trial: &Trial| (trial.world.exact().await, trial.world.history().await);
    trial.change().await;
    trial.run().await.expect(0);
    let target = trial.world.head().await.to_string();
    let wanted = trial.world.exact().await;
    trial.change().await;
    trial.run().await.expect(0);
    let before = states(&trial).await;
    let line = Line::before(&trial.world.database.url).await;
    trial.world.database.url = line.url(&trial.world.database.url);
    let words = ["rollback", &target, "--yes", "--reason", "Essai."];
    let concord = env!("CARGO_BIN_EXE_concord");
    killed_at_commit(
        &trial.world,
        &line,
        "insert into history.promotions",
        concord,
        &words,
    )
    .await;
    assert!(states(&trial).await == before, "nothing was changed");
    line.go_on();
    trial.world.concord(&words).await.expect(0);
    assert!(
        trial.world.exact().await == wanted,
        "it is done as if for the first time"
    );
    trial
        .world
        .concord(&["doctor", "--offline"])
        .await
        .expect(0);
}
