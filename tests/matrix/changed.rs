//! Tables, locks and rights that others change under a run, runs that meet, and a record that kills.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::database::Scene;
use super::line::Then;
use super::oracle::Trial;
use crate::world::{World, pick};

/// Said in the transaction that ends a read: what is done there is done between reading and promoting.
const CLOSED: &str = "set state = case when strategy";

#[tokio::test]
async fn a_table_changed_within_the_run_stops_the_promotion_and_keeps_what_was_read() {
    let mut scene = Scene::set(15, "").await;
    let rows = [
        (
            "a column dropped",
            "alter table prod.clients drop column locale",
            "alter table prod.clients add column locale text",
            "locale",
        ),
        (
            "a type changed",
            "alter table prod.clients alter column company_name type bytea using convert_to(company_name, 'UTF8')",
            "alter table prod.clients alter column company_name type text using convert_from(company_name, 'UTF8')",
            "company_name",
        ),
        (
            "the table renamed",
            "alter table prod.clients rename to customers",
            "alter table prod.customers rename to clients",
            "customers",
        ),
    ];
    for (label, change, undo, says) in rows {
        scene.trial.change().await;
        scene.line.at_commit(1, CLOSED, Then::Held);
        let world = &scene.trial.world;
        let change = async {
            scene.line.happened().await;
            world.sql(change).await;
            scene.line.go_on();
        };
        let (answer, _) = scene.run_beside(change).await;
        let line = answer.expect(4).module("clients");
        assert_eq!(line["state"], "BLOCKED", "{label}: {line}");
        assert!(line["cause"].to_string().contains(says), "{label}: {line}");
        let pending = "select count(*) from staging.pending where module = 'clients'";
        assert_eq!(world.count(pending).await, 3, "{label}: staging is intact");
        world.sql(undo).await;
        if undo.contains("add column") {
            // Another column of that name is not the one that was dropped, and holds nothing.
            let line = scene.trial.run().await.expect(4).module("clients");
            assert!(
                line["cause"]
                    .to_string()
                    .contains("concord rebuild clients"),
                "{line}"
            );
            let rebuild = [
                "rebuild",
                "clients",
                "--reason",
                "Dropped by mistake.",
                "--yes",
            ];
            scene.trial.world.concord(&rebuild).await.expect(0);
        }
        let line = scene.trial.run().await.expect(0).module("clients");
        assert_eq!(line["claims"]["inserted"], 1, "{label}: {line}");
        scene.trial.agrees(label).await;
    }
}

#[tokio::test]
async fn a_lock_that_others_hold_is_waited_for_and_then_left_with_its_holder_named() {
    let mut trial = Trial::begin()
        .await
        .reconfigure(|text| format!("{text}\n[database]\nlock_wait_seconds = 1\n"));
    trial.change().await;
    let before = trial.world.exact().await;
    let mut other = PgConnection::connect(&trial.world.database.url)
        .await
        .expect("a connection");
    let mut tx = other.begin().await.expect("a transaction");
    sqlx::raw_sql("select * from prod.clients for update")
        .execute(&mut *tx)
        .await
        .expect("locks");
    let (pid,): (i32,) = sqlx::query_as("select pg_backend_pid()")
        .fetch_one(&mut *tx)
        .await
        .expect("a number");
    let line = trial.run().await.expect(75).module("clients");
    assert_eq!(line["state"], "WAITING", "{line}");
    assert!(
        line["cause"]
            .to_string()
            .contains(&format!("process {pid} (")),
        "{line}"
    );
    assert_eq!(trial.world.exact().await, before, "nothing was written");
    tx.rollback().await.expect("an end");
    trial.heals("a lock").await;
}

#[tokio::test]
async fn a_right_that_was_revoked_is_named_with_its_role_and_nothing_is_half_written() {
    let mut trial = Trial::begin().await;
    let url = trial.world.database.url.clone();
    let name = trial.world.value("current_database()::text").await;
    let role = format!("role_of_{}", name.as_str().expect("a name"));
    let grants = format!(
        "create role {role} login;
         grant all on schema concord, ops, staging, prod, history to {role};
         grant all on all tables in schema concord, ops, staging, prod, history to {role}"
    );
    trial.world.sql(&grants).await;
    trial.world.database.url =
        url.replacen("postgres://postgres", &format!("postgres://{role}"), 1);
    trial.change().await;
    trial.run().await.expect(0);
    let rows = [
        ("update on prod.clients", "clients"),
        ("insert on history.changes", "changes"),
        ("insert on staging.pages", "pages"),
        ("insert on ops.runs", "runs"),
    ];
    for (right, object) in rows {
        trial.change().await;
        trial
            .world
            .sql(&format!("revoke {right} from {role}"))
            .await;
        let before = (trial.world.exact().await, trial.world.history().await);
        let answer = trial.run().await.expect(5);
        // Before a run is opened, there is none that could say it.
        let cause = match answer.lines().first() {
            Some(line) => {
                assert_eq!(line["state"], "FAILED", "{right}: {line}");
                line["cause"].as_str().expect("a cause").to_owned()
            }
            None => answer.stderr,
        };
        assert!(
            cause.contains(&role) && cause.contains(object),
            "{right}: {cause}"
        );
        assert_eq!(
            (trial.world.exact().await, trial.world.history().await),
            before,
            "{right}"
        );
        trial.world.sql(&format!("grant {right} to {role}")).await;
        trial.heals(right).await;
    }
    trial.world.database.url = url;
    let gone = format!("drop owned by {role}; drop role {role}");
    sqlx::raw_sql(AssertSqlSafe(gone))
        .execute(&trial.world.database.pool)
        .await
        .expect("no role is left");
}

#[tokio::test]
async fn one_connection_is_enough() {
    let mut trial = Trial::begin()
        .await
        .reconfigure(|text| format!("{text}\n[database]\nmax_connections = 1\n"));
    trial.change().await;
    trial.run().await.expect(0);
    trial.agrees("one connection").await;
}

#[tokio::test]
async fn runs_at_the_same_time_are_one_and_the_others_say_which() {
    let mut trial = Trial::begin().await;
    trial.change().await;
    // In the middle of its transaction: the others do not wait for its end.
    let promoting = trial
        .world
        .halted_at("committing", &["--module", "clients"])
        .await;
    let pid = promoting.id().expect("a process").to_string();
    let (one, two) = tokio::join!(trial.run(), trial.run());
    for answer in [one, two] {
        let line = answer.expect(75).module("clients");
        let cause = line["cause"].as_str().expect("a cause");
        assert!(
            cause.contains("Already running since") && cause.contains(&pid),
            "{cause}"
        );
    }
    drop(promoting);
    trial.heals("one was killed").await;
    trial.change().await;
    let (one, two, three) = tokio::join!(trial.run(), trial.run(), trial.run());
    let codes: Vec<i32> = [one, two, three].iter().map(|answer| answer.code).collect();
    assert!(
        codes.contains(&0) && codes.iter().all(|code| [0, 75].contains(code)),
        "{codes:?}"
    );
    trial.agrees("three at once").await;
}

/// The first death has no name; the next two are of the record that was being handled.
#[tokio::test]
async fn a_record_that_kills_the_process_three_times_is_set_aside() {
    kills_three_times("handling").await;
}

/// The second death is of the wave in which it was decided, the third its own.
#[tokio::test]
async fn a_record_that_kills_among_others_of_its_wave_is_found_and_set_aside() {
    kills_three_times("deciding").await;
}

async fn kills_three_times(does: &str) {
    let mut trial = Trial::begin().await;
    trial.change().await;
    let killer = trial
        .world
        .value("select max(id) from prod.clients where id like 'cli_trial%'")
        .await;
    let killer = killer.as_str().expect("an id").to_owned();
    let edit = json!({ "op": "patch", "kind": "client", "id": killer, "value": { "companyName": "Tueuse" } });
    trial.world.edit(edit).await;
    let clients = ["--module", "clients"];
    let point = format!("{does} {killer}");
    trial.world.kill_at("reconciled", &clients).await;
    trial.world.kill_at(&point, &clients).await;
    trial.world.kill_at(&point, &clients).await;
    let mut command = trial.world.command(env!("CARGO_BIN_EXE_run_sync"));
    command
        .args(["--json"])
        .args(clients)
        .env("CONCORD_HALT_AT", &point);
    let line = crate::world::Answer::of(&mut command)
        .await
        .expect(0)
        .module("clients");
    assert_eq!(
        (&line["state"], &line["claims"]["quarantined"]),
        (&json!("OK_Q"), &json!(1)),
        "{line}"
    );
    assert_eq!(line["claims"]["inserted"], 1, "the rest landed: {line}");
    let aside = trial.world.open_problems_of("clients", "quarantine").await;
    assert_eq!(
        pick(&aside, &["source_id", "code"]),
        [json!({ "source_id": killer, "code": "kills_the_process" })]
    );
    nobody_is_suspected(&mut trial, &killer).await;
}

async fn nobody_is_suspected(trial: &mut Trial, killer: &str) {
    // Nothing is pending any more.
    assert_eq!(
        trial.run().await.expect(0).module("clients")["promotion"],
        Value::Null
    );
    // Another content is tried, as any other record.
    let edit = json!({ "op": "patch", "kind": "client", "id": killer, "value": { "companyName": "Douce" } });
    trial.world.edit(edit).await;
    trial.heals("another content").await;
    let aside = trial.world.open_problems_of("clients", "quarantine").await;
    assert!(aside.is_empty(), "{aside:?}");
}

/// G10: what a source has gained stays visible until the module is written anew.
#[tokio::test]
async fn what_a_source_has_gained_is_shown_until_the_module_changes() {
    let trial = Trial::begin().await;
    let fault = json!({ "name": "field_added", "value": "PrivateClient.shoeSize:Int" });
    trial.world.fault(fault).await;
    let status = async || {
        let answer = trial.world.concord(&["status"]).await.expect(0);
        answer.stdout
    };
    for run in 1..=2 {
        trial.run().await.expect(0);
        let told = status().await;
        assert!(
            told.contains("clients: its source has something new") && told.contains("`shoeSize`"),
            "after run {run}: {told}"
        );
    }
    let folder = trial.world.copy_module("clients");
    trial
        .world
        .edit_file(&folder.join("query.graphql"), |text| {
            format!("# seen\n{text}")
        });
    let modules = trial.world.folder().join("modules");
    let modules = modules.to_str().expect("a path");
    let arguments = ["--module", "clients", "--modules", modules];
    trial.world.run_sync(&arguments).await.expect(0);
    let told = status().await;
    assert!(!told.contains("shoeSize"), "{told}");
}

/// G13: an id that comes twice in one read, each time with other content, is counted and said.
#[tokio::test]
async fn one_id_with_two_contents_in_one_read_is_noted_in_the_run() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let faults = json!([
        { "name": "page_cap", "value": 4 },
        { "name": "repeat_rows" },
        { "name": "unknown_enum" }
    ]);
    world.fault(faults).await;
    world
        .run_sync(&["--module", "timeline", "--mode", "full"])
        .await;
    // Measurements run behind their timeline.
    let detail = "select detail from ops.run_steps join ops.runs using (run_id)
                  where module = 'timeline' and step = 'fetch and stage' order by run_id desc limit 1";
    let told = world.value(detail).await.to_string();
    assert!(
        told.contains("records came again in this read") && told.contains("last version"),
        "{told}"
    );
    world.clear_faults().await;
    let full = ["--module", "timeline", "--mode", "full"];
    world.run_sync(&full).await;
    assert!(world.value(detail).await.is_null(), "only in that read");
}
