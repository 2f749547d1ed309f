//! Runs that work at the same moment on one database do not double or lose anything.

use std::process::Stdio;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::process::Child;

use crate::world::{ListModule, ListWorld};

/// People, and two modules that make up a person whom they do not find.
async fn account() -> ListWorld {
    let people = ListModule::new("people", &["name text", "email text"])
        .with("placeholder: { name: 'Unknown ({id})' }")
        .matched_by_email();
    let child = |name: &str| {
        ListModule::new(name, &["name text", "person_id text"]).refers(
            "person_id",
            "people",
            "placeholder",
        )
    };
    let world = ListWorld::new(&[people, child("visits"), child("calls")]).await;
    world.lists.set(
        "people",
        json!([{ "id": "p0", "name": "P0", "email": "p0@x.example" }]),
    );
    world.lists.set(
        "visits",
        json!([{ "id": "v0", "name": "V0", "person_id": "p0" }]),
    );
    world.lists.set(
        "calls",
        json!([{ "id": "c0", "name": "C0", "person_id": "p0" }]),
    );
    world.run().await.expect(0);
    world
}

fn start(world: &ListWorld, arguments: &[&str]) -> Child {
    let mut command = world.command(env!("CARGO_BIN_EXE_run_sync"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().expect("run_sync starts")
}

/// Runs both modules, and lets neither promote before both have decided.
async fn decide_together(world: &ListWorld, modules: [&str; 2]) {
    let mut other = PgConnection::connect(&world.database.url)
        .await
        .expect("a connection");
    let mut held = other.begin().await.expect("a transaction");
    sqlx::raw_sql("select number from history.head for update")
        .execute(&mut *held)
        .await
        .expect("the head");
    let mut runs = modules.map(|module| start(world, &["--module", module]));
    let waiting = "select count(*) from pg_stat_activity where datname = current_database()
        and application_name = 'concord' and wait_event_type = 'Lock'";
    let ended = |runs: &mut [Child; 2]| {
        runs.iter_mut()
            .any(|run| run.try_wait().expect("a process").is_some())
    };
    while world.count(waiting).await < 2 && !ended(&mut runs) {
        tokio::task::yield_now().await;
    }
    held.rollback().await.expect("an end");
    for run in &mut runs {
        assert_eq!(run.wait().await.expect("an end").code(), Some(0));
    }
}

const PEOPLE: &str =
    "select name, is_placeholder from prod.people where deleted_at is null order by name";
const NAMED: &str = "select p.name from prod.visits v join prod.people p on p.id = v.person_id where v.id = 'v1'
    union all select p.name from prod.calls c join prod.people p on p.id = c.person_id where c.id = 'c1'";

#[tokio::test]
async fn two_modules_that_make_up_one_parent_at_the_same_moment_make_one() {
    let world = account().await;
    world.lists.add(
        "visits",
        json!({ "id": "v1", "name": "V1", "person_id": "p9" }),
    );
    world.lists.add(
        "calls",
        json!({ "id": "c1", "name": "C1", "person_id": "p9" }),
    );
    decide_together(&world, ["visits", "calls"]).await;
    let made_up = json!([["P0", false], ["Unknown (p9)", true]]);
    assert_eq!(world.values(PEOPLE).await, made_up);
    let unknown = json!([["Unknown (p9)"], ["Unknown (p9)"]]);
    assert_eq!(world.values(NAMED).await, unknown);
    world.lists.add(
        "people",
        json!({ "id": "p9", "name": "P9", "email": "p9@x.example" }),
    );
    world.run().await.expect(0);
    assert_eq!(
        world.values(PEOPLE).await,
        json!([["P0", false], ["P9", false]])
    );
    assert_eq!(world.values(NAMED).await, json!([["P9"], ["P9"]]));
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn a_parent_that_arrives_while_a_child_makes_it_up_is_one_row() {
    let world = account().await;
    world.lists.add(
        "visits",
        json!({ "id": "v1", "name": "V1", "person_id": "p9" }),
    );
    world.lists.add(
        "people",
        json!({ "id": "p9", "name": "P9", "email": "p9@x.example" }),
    );
    decide_together(&world, ["visits", "people"]).await;
    world.run().await.expect(0);
    assert_eq!(
        world.values(PEOPLE).await,
        json!([["P0", false], ["P9", false]])
    );
    let named = "select p.name from prod.visits v join prod.people p on p.id = v.person_id where v.id = 'v1'";
    assert_eq!(world.values(named).await, json!([["P9"]]));
    assert_eq!(world.count("select count(*) from prod.people").await, 2);
}

#[tokio::test]
async fn two_modules_of_one_table_that_meet_one_person_at_the_same_moment_make_one_row() {
    let member = |name: &str| {
        ListModule::new(name, &["name text", "email text"])
            .table("people")
            .matched_by_email()
    };
    let world = ListWorld::new(&[member("ma"), member("mb")]).await;
    for module in ["ma", "mb"] {
        world.lists.set(
            module,
            json!([{ "id": "0", "name": "Zero", "email": format!("{module}@x.example") }]),
        );
    }
    world.run().await.expect(0);
    for module in ["ma", "mb"] {
        world.lists.add(
            module,
            json!({ "id": "1", "name": "Anna", "email": "anna@x.example" }),
        );
    }
    decide_together(&world, ["ma", "mb"]).await;
    world.run().await.expect(0);
    let anna = "select count(*) from prod.people where name = 'Anna' and deleted_at is null";
    assert_eq!(world.count(anna).await, 1);
    let known = "select count(distinct entity_id), count(*) from prod.identities where source_id = '1' and valid_to is null";
    assert_eq!(world.values(known).await, json!([[1, 2]]));
}

#[tokio::test]
async fn four_jobs_that_begin_at_once_on_a_new_database_fail_none() {
    let world = ListWorld::new(&[
        ListModule::new("people", &["name text"]),
        ListModule::new("pets", &["name text"]),
    ])
    .await;
    for list in ["people", "pets"] {
        world.lists.set(
            list,
            json!([{ "id": "1", "name": "One" }, { "id": "2", "name": "Two" }]),
        );
    }
    let jobs = [(); 4].map(|()| start(&world, &["--all"]));
    for mut job in jobs {
        let code = job.wait().await.expect("an end").code();
        assert!(matches!(code, Some(0 | 75)), "{code:?}");
    }
    let failed = "select coalesce(jsonb_agg(cause), '[]') from ops.runs where state = 'FAILED'";
    assert_eq!(world.values(failed).await, json!([[[]]]));
    world.run().await.expect(0);
    for table in ["people", "pets"] {
        assert_eq!(
            world
                .count(&format!("select count(*) from prod.{table}"))
                .await,
            2
        );
    }
}
