//! A database of the previous release is taken over: production stays as it is, and what held it away from
//! its sources is an override.
//!
//! `tests/fixtures/upgrade/release_0_1.sql` is a dump of such a database. Its rows were edited by hand (in
//! rows that later promotions touched, and in rows that none did), rolled back, deleted by hand, made up for
//! children and merged with a twin; `lists.json` is what the source served at the end.

use std::str::FromStr;

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::world::{ListModule, ListWorld};

const DUMP: &str = include_str!("fixtures/upgrade/release_0_1.sql");
const LISTS: &str = include_str!("fixtures/upgrade/lists.json");

async fn taken_over() -> ListWorld {
    let things = ListModule::new(
        "things",
        &[
            "name text",
            "note text",
            "tags text[]",
            "price numeric(9,2)",
            "owner_id text",
        ],
    )
    .refers("owner_id", "owners", "placeholder")
    .with("ownership: { tags: append, note: source }")
    .with("match: { keys: [ { label: code, on: [name, note], within_source: true } ] }");
    let owners =
        ListModule::new("owners", &["name text"]).with("placeholder: { name: \"Unknown {id}\" }");
    let world = ListWorld::new(&[things, owners]).await;
    let lists: Value = serde_json::from_str(LISTS).expect("lists");
    for (list, records) in lists.as_object().expect("lists by name") {
        world.lists.set(list, records.clone());
    }
    // The dump sets its own search path, so it gets a connection of its own.
    let options = PgConnectOptions::from_str(&world.database.url).expect("a URL");
    let mut connection = options.connect().await.expect("a connection");
    let restored = sqlx::raw_sql(AssertSqlSafe(DUMP))
        .execute(&mut connection)
        .await;
    restored.expect("the dump is restored");
    connection.close().await.expect("the connection closes");
    world
}

const ROWS: &str = "select jsonb_agg(to_jsonb(t)::text order by id) from prod.things t";
const OWNERS: &str = "select jsonb_agg(to_jsonb(t)::text order by id) from prod.owners t";

#[tokio::test]
async fn a_database_of_the_previous_release_stays_as_it_is_to_the_byte() {
    let world = taken_over().await;
    let before = (
        world.values(ROWS).await,
        world.values(OWNERS).await,
        world.head().await,
    );
    world.concord(&["migrate"]).await.expect(0);
    let now = (
        world.values(ROWS).await,
        world.values(OWNERS).await,
        world.head().await,
    );
    assert_eq!(now, before, "migrating changes no row");
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    let now = (world.values(ROWS).await, world.values(OWNERS).await);
    assert_eq!(now, (before.0, before.1), "and runs change none");
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn what_held_its_rows_away_from_their_sources_is_overrides() {
    let world = taken_over().await;
    world.concord(&["migrate"]).await.expect(0);
    let set =
        "select entity || '/' || entity_id || '.' || cell, kind, state, author from prod.overrides
               where state <> 'released' order by 1";
    let expected = json!([
        ["owners/o2.name", "manual", "holds", "unknown"],
        ["things/t1.name", "manual", "holds", "unknown"],
        ["things/t2.tags", "manual", "holds", "unknown"],
        ["things/t3.name", "manual", "holds", "unknown"],
        ["things/t5.", "manual", "holds", "unknown"],
        ["things/t7.name", "restore", "holds", "uid 0"],
        ["things/t7.tags", "restore", "holds", "uid 0"],
    ]);
    assert_eq!(world.values(set).await, expected);
    for (id, name) in [("t1", "moved"), ("t7", "moved"), ("t5", "moved")] {
        world.lists.patch("things", id, json!({ "name": name }));
    }
    world.run().await.expect(0);
    let names = "select id, name from prod.things where id in ('t1', 't5', 't7') order by id";
    assert_eq!(
        world.values(names).await,
        json!([["t1", "by hand"], ["t5", "moved"], ["t7", "moved"]]),
        "an edit holds, what a rollback restored and who was taken out give way"
    );
}
