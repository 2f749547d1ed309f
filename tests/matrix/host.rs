//! What the machine itself runs out of: disk, memory, and bits that stay as they were.

use std::os::unix::fs::FileExt;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::database::{PAGE, Scene, spooled};
use super::line::Then;
use super::oracle::Trial;
use crate::world::{Answer, World};

/// No byte goes into a file, as on a full disk; an empty one can still be made.
const FULL: &str = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";

/// One run of the clients, begun by a shell.
async fn run_by(world: &World, script: &str) -> Answer {
    let mut command = world.command("sh");
    let program = env!("CARGO_BIN_EXE_run_sync");
    command
        .args(["-c", script, program, "--json", "--module", "clients"])
        .env("RUST_LOG", "info");
    Answer::of(&mut command).await
}

/// S2: with the database there, nothing needs the disk of this host.
#[tokio::test]
async fn a_local_disk_that_takes_nothing_costs_a_warning_and_no_data() {
    let mut trial = Trial::begin().await;
    let rows = [
        ("a full disk", FULL, Some("cannot be")),
        (
            "results that nobody takes",
            "exec \"$0\" \"$@\" > /dev/full",
            Some("results cannot be printed"),
        ),
        (
            "neither results nor logs",
            "exec \"$0\" \"$@\" > /dev/full 2> /dev/full",
            None,
        ),
    ];
    for (label, script, warns) in rows {
        trial.change().await;
        let answer = run_by(&trial.world, script).await.expect(0);
        trial.agrees(label).await;
        let warned = warns.is_none_or(|warns| answer.stderr.contains(warns));
        assert!(warned, "{label}: {}", answer.stderr);
    }
    // A file stands where the folder should be, so nothing can be made below it.
    let nowhere = |text: &str| format!("{text}\n[database]\ndata_dir = \"concord.toml\"\n");
    trial.configure(nowhere);
    for _ in 0..2 {
        trial.change().await;
        let answer = trial.run().await.expect(0);
        assert!(answer.stderr.contains("WARN"), "{}", answer.stderr);
        trial.agrees("no data directory").await;
    }
}

/// S2 with D1: where neither takes pages, reading pauses until the database is back.
#[tokio::test]
async fn a_full_local_disk_while_the_database_is_away_makes_the_source_wait() {
    let mut scene = Scene::set(4, "").await;
    scene.trial.change().await;
    scene.line.at_commit(1, PAGE, Then::Away);
    let world = &scene.trial.world;
    let (answer, ()) = tokio::join!(run_by(world, FULL), async {
        scene.line.happened().await;
        scene.line.go_on();
    });
    let answer = answer.expect(0);
    assert!(
        answer.stderr.contains("pages cannot be kept on disk"),
        "{}",
        answer.stderr
    );
    assert_eq!(answer.module("clients")["resumed"], true);
    scene.trial.agrees("neither disk nor database").await;
}

/// S1: whatever it is that finds the disk full, the run says so and how much is free, production can be read
/// and is as it was, and the next run goes on.
#[tokio::test]
async fn a_full_disk_of_the_database_is_named_and_waited_for() {
    let mut trial = Trial::begin()
        .await
        .reconfigure(|text| format!("{text}\n[database]\naway_seconds = 1\n"));
    let full = "create function public.disk_full() returns trigger language plpgsql as $$ begin
            raise exception 'could not extend file \"base/1/2\": No space left on device'
                using errcode = '53100', hint = 'Check free disk space.'; end $$";
    trial.world.sql(full).await;
    for table in [
        "staging.pages",
        "staging.pending",
        "prod.clients",
        "history.changes",
    ] {
        trial.change().await;
        let before = (trial.world.exact().await, trial.world.history().await);
        let from_now = format!(
            "create trigger disk_full before insert or update on {table} execute function public.disk_full()"
        );
        trial.world.sql(&from_now).await;
        let line = trial.run().await.expect(75).module("clients");
        assert_eq!(line["state"], "WAITING", "{table}: {line}");
        let cause = line["cause"].as_str().expect("a cause");
        for says in ["disk is full", "No space left", "The database takes "] {
            assert!(cause.contains(says), "{table}: {cause}");
        }
        assert_eq!(
            (trial.world.exact().await, trial.world.history().await),
            before,
            "{table}: it can be read, and nothing is half written"
        );
        let status = trial.world.concord(&["status"]).await;
        assert!(status.stdout.contains("clients"), "{}", status.stdout);
        trial
            .world
            .sql(&format!("drop trigger disk_full on {table}"))
            .await;
        trial.heals(table).await;
    }
}

/// S4: a page of which a bit has turned over on the disk is asked for again, with those behind it.
#[tokio::test]
async fn a_bit_that_turns_over_in_the_spool_costs_a_question_and_no_data() {
    let mut scene = Scene::set(4, "").await;
    scene
        .trial
        .configure(|text| text.replace("away_seconds = 60", "away_seconds = 1"));
    for part in [3, 2] {
        scene.trial.change().await;
        scene.line.at_commit(1, PAGE, Then::Away);
        let (answer, _) = scene.run_beside(async {}).await;
        answer.expect(75);
        scene.line.go_on();
        assert_eq!(spooled(&scene.trial), 1);
        let folder = scene.trial.world.folder().join("concord-data/spool");
        let mut files = std::fs::read_dir(folder).expect("a folder");
        let path = files.next().expect("a spool").expect("an entry").path();
        let file = std::fs::File::options().read(true).write(true).open(path);
        let file = file.expect("a spool");
        let at = file.metadata().expect("a length").len() * (part - 1) / part;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).expect("a byte");
        file.write_all_at(&[byte[0] ^ 4], at).expect("a byte");
        scene.trial.run().await.expect(0);
        scene.trial.agrees("a bit in the spool").await;
        assert_eq!(spooled(&scene.trial), 0);
    }
}

/// How many clients of how many bytes: far more than the memory the run may have.
const LARGE: (usize, usize) = (800, 256 * 1024);
/// Kilobytes of data that the process may have.
const MEMORY: usize = 190_000;

/// S3: what waits for the database is bounded in bytes, and so is what is decided together.
#[tokio::test]
async fn a_source_that_is_larger_than_the_memory_is_read_and_landed() {
    let world = World::new(standin::Options {
        timeline: Some(20),
        page_cap: 10,
        ..standin::Options::small()
    })
    .await;
    world.run_sync(&["--all"]).await.expect(0);
    let (clients, bytes) = LARGE;
    for first in (0..clients).step_by(50) {
        let some = first..(first + 50).min(clients);
        world.edit(some.map(|n| large(n, bytes)).collect()).await;
    }
    let script = format!("ulimit -d {MEMORY}; MALLOC_ARENA_MAX=2 exec \"$0\" \"$@\"");
    let mut command = world.command("sh");
    let program = env!("CARGO_BIN_EXE_run_sync");
    command.args(["-c", &script, program, "--module", "clients"]);
    let mut run = World::halted(&mut command, "promoted").await;
    let status = format!("/proc/{}/status", run.id().expect("a process"));
    let status = std::fs::read_to_string(status).expect("what the system knows of it");
    let peak = status.lines().find(|line| line.starts_with("VmHWM"));
    println!(
        "{} MB of records within {} MB of data: {}",
        clients * bytes / 1_000_000,
        MEMORY / 1_000,
        peak.expect("a peak")
    );
    let mut told = run.stdin.take().expect("a pipe");
    told.write_all(b"\n").await.expect("a word");
    assert_eq!(run.wait().await.expect("an end").code(), Some(0));
    let landed =
        format!("select count(*) from prod.clients where length(personal_notes) = {bytes}");
    assert_eq!(world.count(&landed).await, clients as i64);
}

fn large(n: usize, bytes: usize) -> Value {
    let id = format!("cli_large{n:04}");
    let notes = format!("{n:08}").repeat(bytes / 8);
    json!({ "op": "upsert", "kind": "client", "id": id, "value": {
        "id": id, "companyName": format!("Grande {n}"), "status": "ACTIVE", "tags": [], "personalNotes": notes,
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}
