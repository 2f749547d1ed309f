//! A job that watches, and what ends it; a repair of a range.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::Connection;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::world::World;
use standin::Options;

/// Small pages, so that a read has several groups of them.
async fn paged() -> World {
    World::new(Options {
        timeline: Some(300),
        page_cap: 3,
        ..Options::small()
    })
    .await
}

/// `run_sync`, at work, and its results as they come.
fn started(world: &World, arguments: &[&str]) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = world
        .command(env!("CARGO_BIN_EXE_run_sync"))
        .arg("--json")
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("run_sync starts");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    (child, lines)
}

fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(pid.expect("a process"), signal).expect("a signal");
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = lines.next_line().await.expect("a line").expect("a result");
    serde_json::from_str(&line).expect("JSON")
}

#[tokio::test]
async fn a_watching_job_runs_again_until_it_is_asked_to_end() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::small().await;
        let (mut child, mut lines) = started(&world, &["--module", "users", "--watch", "100ms"]);
        assert_eq!(next(&mut lines).await["claims"]["inserted"], 9);
        world
            .edit(json!({ "op": "upsert", "kind": "user", "id": "usr_new", "value": {
                "id": "usr_new", "firstName": "Line", "lastName": "Roy", "fullName": "Line Roy", "status": "ACTIVE",
                "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } }))
            .await;
        while next(&mut lines).await["claims"]["inserted"] != 1 {}
        send(&child, signal);
        let ended = child.wait().await.expect("an end");
        assert!(matches!(ended.code(), Some(0 | 5)), "{ended}");
        assert!(world.running().await.is_empty(), "nothing is left open");
        let held = "select count(*) from ops.leases where expires_at > clock_timestamp()";
        assert_eq!(world.count(held).await, 0, "and nobody holds the module");
    }
}

#[tokio::test]
async fn a_run_that_is_asked_to_end_says_so_and_the_next_goes_on() {
    let world = World::small().await;
    world
        .fault(json!({ "name": "slow_bytes", "value": 60000 }))
        .await;
    let (mut child, mut lines) = started(&world, &["--all", "--watch", "1h"]);
    while world.running().await.is_empty() {
        tokio::task::yield_now().await;
    }
    send(&child, Signal::TERM);
    let line = next(&mut lines).await;
    assert_eq!(
        (&line["module"], &line["state"]),
        (&json!("users"), &json!("CANCELLED"))
    );
    assert_eq!(
        lines.next_line().await.expect("the end"),
        None,
        "no other module began"
    );
    assert_eq!(child.wait().await.expect("an end").code(), Some(5));
    world.clear_faults().await;
    let states = world.run_sync(&["--all"]).await.expect(0).states();
    assert_eq!(states[0].0, "users");
    assert!(world.running().await.is_empty());
}

#[tokio::test]
async fn a_run_that_is_asked_to_end_within_its_promotion_takes_it_back() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let id = world.ids_of("clients").await.remove(0);
    world
        .edit(json!({ "op": "patch", "kind": "client", "id": id, "value": { "companyName": "Maison neuve" } }))
        .await;
    let before = (world.exact().await, world.history().await);
    let mut other = sqlx::PgConnection::connect(&world.database.url)
        .await
        .expect("a connection");
    let mut held = other.begin().await.expect("a transaction");
    sqlx::raw_sql("select * from prod.clients for update")
        .execute(&mut *held)
        .await
        .expect("locks");
    let (mut child, mut lines) = started(&world, &["--module", "clients"]);
    let waits = "select count(*) from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock'";
    while world.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    send(&child, Signal::TERM);
    let line = next(&mut lines).await;
    assert_eq!(line["state"], "CANCELLED", "{line}");
    assert_eq!(child.wait().await.expect("an end").code(), Some(5));
    held.rollback().await.expect("an end");
    let line = world
        .run_sync(&["--module", "clients", "--dry-run"])
        .await
        .expect(0)
        .module("clients");
    assert_eq!(
        (world.exact().await, world.history().await),
        before,
        "{line}"
    );
    let line = world
        .run_sync(&["--module", "clients"])
        .await
        .expect(0)
        .module("clients");
    assert_eq!(line["claims"]["updated"], 1, "{line}");
    let row = world.row_of("clients", &id).await;
    assert_eq!(row["company_name"], "Maison neuve");
}

#[tokio::test]
async fn a_repair_reads_a_range_and_leaves_the_checkpoint() {
    let world = paged().await;
    world.run_sync(&["--all"]).await.expect(0);
    let everything = world.production().await;
    let entry = world
        .rows("select id from prod.timeline_entries where occurred_at > '2026-01-01' and id like 'tme_%' order by id limit 1")
        .await;
    let id = entry[0]["id"].as_str().expect("an id");
    let old = world.rows("select id from prod.timeline_entries where occurred_at < '2024-01-01' and id like 'tme_%' order by id limit 1").await;
    let old = old[0]["id"].as_str().expect("an id");
    for id in [id, old] {
        world
            .edit(json!({ "op": "patch", "kind": "timeline", "id": id, "value": { "comment": "Corrigé" } }))
            .await;
    }
    // A pass that was interrupted waits at its checkpoint.
    world
        .kill_at("staged", &["--module", "timeline", "--mode", "full"])
        .await;
    let place =
        "select to_jsonb(c) - 'updated_at' from staging.checkpoints c where module = 'timeline'";
    let passes = "select jsonb_agg(to_jsonb(p) order by pass_id) from staging.passes p where strategy <> 'repair'";
    let before = (world.value(place).await, world.value(passes).await);
    let repair = [
        "--module",
        "timeline",
        "--mode",
        "repair",
        "--since",
        "2026-01-01",
    ];
    let line = world.run_sync(&repair).await.expect(0).module("timeline");
    assert_eq!(line["complete"], true);
    let read = line["staged"]["fetched"].as_i64().expect("a number");
    let held = world
        .count("select count(*) from staging.stg_timeline")
        .await;
    assert!(read > 0 && read < held, "{read} of {held}");
    assert_eq!(
        (world.value(place).await, world.value(passes).await),
        before
    );
    let comments = async |id: &str| world.row_of("timeline_entries", id).await["comment"].take();
    assert_eq!(comments(id).await, "Corrigé");
    let run = world
        .rows("select mode, strategy, selection from ops.runs order by run_id desc limit 1")
        .await;
    let selection = json!({ "since": "2026-01-01T05:00:00Z" });
    assert_eq!(
        run,
        [json!({ "mode": "repair", "strategy": "repair", "selection": selection })]
    );
    assert_ne!(world.production().await, everything);
    world
        .run_sync(&["--module", "timeline", "--mode", "full"])
        .await
        .expect(0);
    assert_eq!(
        comments(old).await,
        "Corrigé",
        "the interrupted pass went on to its end"
    );
}

#[tokio::test]
async fn a_range_that_cannot_be_read_is_refused_before_anything_is_opened() {
    let world = World::unmigrated().await;
    for (arguments, named) in [
        (
            &[
                "--module",
                "clients",
                "--mode",
                "repair",
                "--since",
                "2026-01-01",
            ][..],
            "`clients` declares no `since` filter and no window",
        ),
        (
            &[
                "--module",
                "timeline",
                "--mode",
                "repair",
                "--since",
                "2026-01-01",
                "--until",
                "2026-02-01",
            ],
            "Leave --until out",
        ),
        (&["--module", "timeline", "--mode", "repair"], "--since"),
        (
            &["--module", "timeline", "--since", "2026-01-01"],
            "--mode repair",
        ),
        (
            &[
                "--module", "timeline", "--mode", "repair", "--since", "soon",
            ],
            "2026-05-01",
        ),
        (&["--module", "users", "--watch", "0s"], "100ms"),
    ] {
        let answer = world.run_sync(arguments).await.expect(2);
        assert!(
            answer.stderr.contains(named),
            "{arguments:?}: {}",
            answer.stderr
        );
    }
    let tables = "select count(*) from pg_tables where schemaname = 'ops'";
    assert_eq!(world.count(tables).await, 0);
}

#[tokio::test]
async fn a_run_shows_how_far_it_has_come() {
    let world = paged().await;
    let child = world.halted_at("staged:2", &["--module", "clients"]).await;
    let served = world.serve().await;
    let (_, health) = served.get("/api/v1/health").await;
    let health: Value = serde_json::from_str(&health).expect("JSON");
    let progress = &health["modules"]["clients"]["progress"];
    assert_eq!(progress["total_count"], 40, "{progress}");
    assert!(progress["percent"].as_i64() > Some(0), "{progress}");
    drop(child);
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let told = "select detail from ops.run_steps where step = 'reconcile and promote' order by run_id desc limit 1";
    let done = world.value(told).await;
    assert!(
        done.is_null(),
        "what is over says nothing of its progress: {done}"
    );
}
