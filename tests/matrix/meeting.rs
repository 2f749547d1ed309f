//! Runs, people and files that change under a run which stands still.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::io::AsyncWriteExt;
use tokio::process::Child;

use super::oracle::Trial;
use crate::world::{World, texts};

const CLIENTS: [&str; 2] = ["--module", "clients"];

pub fn send(child: &Child, signal: Signal) {
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(pid.expect("a process"), signal).expect("a signal");
}

/// Lets a halted run go on to its end; its exit code.
pub async fn went_on(mut child: Child) -> Option<i32> {
    let mut told = child.stdin.take().expect("a pipe");
    told.write_all(b"\n").await.expect("a word");
    child.wait().await.expect("an end").code()
}

/// By the database's clock, the lease of a module has ended.
pub async fn lease_ends(world: &World, module: &str) {
    let ends = format!(
        "update ops.leases set expires_at = clock_timestamp() - interval '1 s' where module = '{module}'"
    );
    world.sql(&ends).await;
}

/// What is recorded of the last run but one.
async fn before_last(world: &World) -> (Value, String) {
    let runs = world.runs().await;
    let run = &runs[runs.len() - 2];
    (run["state"].clone(), run["cause"].to_string())
}

/// X2: a process that is stopped for so long that another one takes its module writes nothing more when it
/// wakes, and says why.
#[tokio::test]
async fn who_slept_through_its_lease_changes_nothing_and_names_who_took_over() {
    let mut trial = Trial::begin().await;
    for point in ["fetched", "read"] {
        trial.change().await;
        let sleeper = trial.world.halted_at(point, &CLIENTS).await;
        send(&sleeper, Signal::STOP);
        lease_ends(&trial.world, "clients").await;
        // What the sleeper has in memory is old from now on.
        trial.change().await;
        let taker = trial.run().await.expect(0).module("clients");
        assert_eq!(taker["resumed"], true, "{point}: {taker}");
        trial.agrees(point).await;
        let stood = (trial.world.exact().await, trial.world.history().await);
        let staged = "select jsonb_agg(to_jsonb(r) order by source_id) from staging.stg_clients r";
        let held = trial.world.value(staged).await;
        send(&sleeper, Signal::CONT);
        assert_eq!(went_on(sleeper).await, Some(5), "{point}");
        let now = (trial.world.exact().await, trial.world.history().await);
        assert_eq!(now, stood, "{point}: nothing is written");
        assert_eq!(trial.world.value(staged).await, held, "{point}");
        let (state, cause) = before_last(&trial.world).await;
        assert_eq!(state, "FAILED", "{point}");
        assert!(cause.contains("was taken over by"), "{point}: {cause}");
        trial.heals(point).await;
    }
}

/// X3: a backfill that has read what is old by now does not come behind a run that has read what is new; as
/// long as it holds the module, nobody else reads.
#[tokio::test]
async fn what_a_backfill_read_before_does_not_overwrite_what_a_run_read_since() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let entry = "select id from prod.timeline_entries where occurred_at > '2026-01-01' and id like 'tme_%' order by id limit 1";
    let id = world.value(entry).await;
    let says = async |comment: &str| {
        let edit =
            json!({ "op": "patch", "kind": "timeline", "id": id, "value": { "comment": comment } });
        world.edit(edit).await;
    };
    let comment = format!(
        "select comment from prod.timeline_entries where id = '{}'",
        id.as_str().expect("an id")
    );
    says("Ancien").await;
    let repair = [
        "--module",
        "timeline",
        "--mode",
        "repair",
        "--since",
        "2026-01-01",
    ];
    let backfill = world.halted_at("fetched", &repair).await;
    says("Nouveau").await;
    let full = ["--module", "timeline", "--mode", "full"];
    let line = world.run_sync(&full).await.expect(75).module("timeline");
    let cause = line["cause"].to_string();
    let pid = backfill.id().expect("a process").to_string();
    assert!(
        cause.contains("Already running") && cause.contains(&pid),
        "{cause}"
    );
    lease_ends(&world, "timeline").await;
    world.run_sync(&full).await.expect(0);
    assert_eq!(world.value(&comment).await, "Nouveau");
    assert_eq!(went_on(backfill).await, Some(5), "its pages are refused");
    assert_eq!(world.value(&comment).await, "Nouveau");
    world.run_sync(&repair).await.expect(0);
    assert_eq!(world.value(&comment).await, "Nouveau");
}

/// X4: a person who edits a row while a run promotes it waits for the run, or the run for him; what both said
/// stands, and where they disagree somebody is asked.
#[tokio::test]
async fn a_row_that_a_person_edits_while_it_is_promoted_keeps_both() {
    let mut trial = Trial::begin().await;
    trial.change().await;
    trial.run().await.expect(0);
    let newest = "select max(id) from prod.clients where id like 'cli_trial%'";
    let last = trial.world.value(newest).await;
    let id = format!("'{}'", last.as_str().expect("an id"));
    let row = format!(
        "select jsonb_build_array(company_name, locale, personal_notes) from prod.clients where id = {id}"
    );
    // First the person, whose edit is not committed as the run comes to the row.
    trial.change().await;
    let world = &trial.world;
    let patch = json!({ "op": "patch", "kind": "client", "id": last, "value": { "companyName": "De la source" } });
    world.edit(patch).await;
    let mut person = PgConnection::connect(&world.database.url)
        .await
        .expect("a connection");
    let mut edit = person.begin().await.expect("a transaction");
    let by_hand = format!(
        "update prod.clients set personal_notes = 'Vue', company_name = 'Par moi' where id = {id}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(by_hand))
        .execute(&mut *edit)
        .await
        .expect("an edit");
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'concord' and wait_event_type = 'Lock'";
    let (answer, ()) = tokio::join!(trial.run(), async {
        while world.count(waits).await == 0 {
            tokio::task::yield_now().await;
        }
        edit.commit().await.expect("an edit");
    });
    answer.expect(0);
    assert_eq!(world.value(&row).await[2], "Vue");
    assert_eq!(
        world.value(&row).await[0],
        "Par moi",
        "what both changed stays the person's"
    );
    let conflicts = world.open_problems("conflict").await;
    assert_eq!(texts(&conflicts, "code"), ["both_changed:company_name"]);
    // Now the run, which has written the row and not committed it as the person comes.
    let patch = json!({ "op": "patch", "kind": "client", "id": last, "value": { "personalNotes": "De la source" } });
    world.edit(patch).await;
    let promoting = world.halted_at("committing", &CLIENTS).await;
    let locale = format!("update prod.clients set locale = 'fr_CA' where id = {id}");
    let edit = sqlx::raw_sql(sqlx::AssertSqlSafe(locale)).execute(&mut person);
    let (edited, code) = tokio::join!(edit, went_on(promoting));
    edited.expect("an edit");
    assert_eq!(code, Some(0));
    trial.run().await.expect(0);
    let kept = trial.world.value(&row).await;
    assert_eq!(kept[1], "fr_CA", "{kept}");
    trial
        .world
        .concord(&["doctor", "--offline"])
        .await
        .expect(0);
}

/// D8: a table that others read changes when they are done, and they keep nobody else out meanwhile. D5: one
/// that is being promoted changes when that is over.
#[tokio::test]
async fn a_table_that_others_hold_changes_when_they_are_done() {
    let mut trial = Trial::begin()
        .await
        .reconfigure(|text| format!("{text}\n[database]\nlock_wait_seconds = 1\n"));
    let contract = trial.world.copy_module("clients").join("contract.yaml");
    trial.world.edit_file(&contract, |text| {
        let column = "- name: locale\n";
        let (before, after) = text.split_once(column).expect("a column");
        let indent = before.rsplit('\n').next().expect("a line");
        format!("{before}- name: added\n{indent}  logicalType: string\n{indent}  physicalType: text\n{indent}{column}{after}")
    });
    let with = ["--module", "clients", "--modules", "modules"];
    let mut reader = PgConnection::connect(&trial.world.database.url)
        .await
        .expect("a connection");
    let mut reading = reader.begin().await.expect("a transaction");
    let (pid,): (i32,) = sqlx::query_as("select pg_backend_pid() from prod.clients limit 1")
        .fetch_one(&mut *reading)
        .await
        .expect("a row");
    let refused = trial.world.run_sync(&with).await.expect(75);
    assert!(
        refused
            .stderr
            .contains("could not be brought to its contract")
            && refused.stderr.contains(&format!("process {pid} (")),
        "{}",
        refused.stderr
    );
    trial.run().await.expect(0);
    reading.rollback().await.expect("an end");
    trial.world.run_sync(&with).await.expect(0);
    let added = "select count(added) from prod.clients";
    assert_eq!(trial.world.count(added).await, 0);
    trial.change().await;
    let promoting = trial.world.halted_at("committing", &with).await;
    let dropped = sqlx::raw_sql("alter table prod.clients drop column added").execute(&mut reader);
    let (dropped, code) = tokio::join!(dropped, went_on(promoting));
    dropped.expect("it waited for the promotion");
    assert_eq!(code, Some(0));
    trial.agrees("a table changed behind a promotion").await;
}

/// X6: a run is of the configuration and the modules it began with, and the next one of those that stand
/// then.
#[tokio::test]
async fn what_changes_in_the_files_of_a_run_is_taken_up_by_the_next() {
    let mut trial = Trial::begin().await;
    let folder = trial.world.copy_module("clients");
    trial.change().await;
    let with = ["--module", "clients", "--modules", "modules"];
    trial.world.run_sync(&with).await.expect(0);
    trial.change().await;
    let run = trial.world.halted_at("fetched", &with).await;
    let query = folder.join("query.graphql");
    let whole = std::fs::read_to_string(&query).expect("a query");
    trial
        .world
        .edit_file(&query, |text| text.replace("companyName\n", ""));
    trial
        .world
        .edit_file(&folder.join("module.yaml"), |_| "no module: [\n".to_owned());
    trial.configure(|_| "no configuration".to_owned());
    assert_eq!(went_on(run).await, Some(0));
    trial.agrees("files that changed").await;
    let refused = trial.world.run_sync(&with).await.expect(2);
    assert!(
        refused.stderr.contains("concord.toml"),
        "{}",
        refused.stderr
    );
    trial.configure(str::to_owned);
    let refused = trial.world.run_sync(&with).await.expect(2);
    assert!(refused.stderr.contains("module.yaml"), "{}", refused.stderr);
    let _ = trial.world.copy_module("clients");
    assert_eq!(std::fs::read_to_string(&query).expect("a query"), whole);
    trial.heals("the files are back").await;
}
