//! A production table that was dropped, emptied, renamed or made anew is noticed before a run and rebuilt.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

fn module() -> ListModule {
    ListModule::new("things", &["name text", "note text"])
}

/// Twelve rows. The name of `t3` was written by hand, and a run has seen it; `t11` is gone at its source.
async fn loaded() -> ListWorld {
    let world = ListWorld::new(&[module()]).await;
    let rows =
        (0..12).map(|n| json!({ "id": format!("t{n}"), "name": format!("n{n}"), "note": "x" }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    world
        .sql("update prod.things set name = 'BY HAND' where id = 't3'")
        .await;
    world.lists.patch("things", "t3", json!({ "note": "y" }));
    world.lists.remove("things", "t11");
    world.run().await.expect(0);
    world
}

async fn rows(world: &ListWorld) -> Value {
    world
        .values("select id, name, note, deleted_at is not null from prod.things order by id")
        .await
}

/// A run of any kind is BLOCKED and names the way out.
async fn blocked(world: &ListWorld, change: &str) {
    for mode in ["incremental", "full"] {
        let line = world
            .run_sync(&["--all", "--mode", mode])
            .await
            .expect(4)
            .module("things");
        assert_eq!(line["state"], "BLOCKED", "{change}: {line}");
        let cause = line["cause"].as_str().expect("a cause");
        assert!(
            cause.contains("concord rebuild things"),
            "{change}: {cause}"
        );
    }
}

/// After each of these changes modules of the table are BLOCKED until it is rebuilt, then all is as before.
async fn noticed_and_rebuilt(changes: &[&str]) {
    for change in changes {
        let world = loaded().await;
        let before = rows(&world).await;
        world.sql(change).await;
        // The source goes on meanwhile.
        world
            .lists
            .add("things", json!({ "id": "t12", "name": "n12", "note": "x" }));
        blocked(&world, change).await;
        let rebuild = ["rebuild", "things", "--reason", "A test.", "--yes"];
        world.concord(&rebuild).await.expect(0);
        assert_eq!(rows(&world).await, before, "{change}");
        world.run().await.expect(0);
        let mut all = before.as_array().expect("rows").clone();
        all.push(json!(["t12", "n12", "x", false]));
        all.sort_by_key(|row| row[0].as_str().map(str::to_owned));
        assert_eq!(
            rows(&world).await,
            Value::from(all),
            "{change}: the run goes on"
        );
        world
            .lists
            .patch("things", "t3", json!({ "name": "FROM SOURCE" }));
        world.run().await.expect(0);
        let name = "select name from prod.things where id = 't3'";
        assert_eq!(
            world.values(name).await,
            json!([["BY HAND"]]),
            "{change}: the edit still holds"
        );
        world.concord(&["doctor", "--offline"]).await.expect(0);
    }
}

#[tokio::test]
async fn a_dropped_table_is_noticed_and_rebuilt() {
    noticed_and_rebuilt(&["drop table prod.things cascade"]).await;
}

#[tokio::test]
async fn an_emptied_table_is_noticed_and_rebuilt() {
    noticed_and_rebuilt(&["truncate prod.things", "delete from prod.things"]).await;
}

#[tokio::test]
async fn a_table_made_anew_is_noticed_and_rebuilt() {
    noticed_and_rebuilt(&[
        "drop table prod.things; create table prod.things (id text primary key, name text, note text)",
        "create table prod.copy (like prod.things including all);
         insert into prod.copy select * from prod.things where id < 't2';
         drop table prod.things; alter table prod.copy rename to things",
    ])
    .await;
}

#[tokio::test]
async fn a_dropped_column_is_noticed_and_rebuilt() {
    noticed_and_rebuilt(&[
        "alter table prod.things drop column note",
        "alter table prod.things drop column name, drop column note",
    ])
    .await;
}

#[tokio::test]
async fn a_column_made_anew_is_noticed_and_rebuilt() {
    noticed_and_rebuilt(&["alter table prod.things drop column note, add column note text"]).await;
}

#[tokio::test]
async fn a_renamed_table_or_column_blocks_until_it_has_its_name_back() {
    for (there, back) in [
        (
            "alter table prod.things rename to stuff",
            "alter table prod.stuff rename to things",
        ),
        (
            "alter table prod.things rename column note to remark",
            "alter table prod.things rename column remark to note",
        ),
        (
            "create schema away; alter table prod.things set schema away",
            "alter table away.things set schema prod",
        ),
    ] {
        let world = loaded().await;
        let before = rows(&world).await;
        world.sql(there).await;
        let line = world.run().await.expect(4).module("things");
        assert_eq!(line["state"], "BLOCKED", "{there}: {line}");
        world.sql(back).await;
        world.run().await.expect(0);
        assert_eq!(rows(&world).await, before, "{there}");
        world
            .lists
            .patch("things", "t0", json!({ "note": "changed" }));
        world.run().await.expect(0);
        let note = "select note from prod.things where id = 't0'";
        assert_eq!(world.values(note).await, json!([["changed"]]), "{there}");
    }
}

#[tokio::test]
async fn other_tables_go_on_while_one_is_blocked() {
    let world = ListWorld::new(&[module(), ListModule::new("zebras", &["name text"])]).await;
    world.lists.set(
        "things",
        json!([{ "id": "t0", "name": "n", "note": "x" }, { "id": "t1", "name": "n", "note": "x" }]),
    );
    world.lists.set("zebras", json!([]));
    world.run().await.expect(0);
    world.sql("drop table prod.things").await;
    world
        .lists
        .set("zebras", json!([{ "id": "z", "name": "Z" }]));
    let states = world.run().await.expect(4).states();
    let state = |module: &str| {
        states
            .iter()
            .find(|(name, _)| name == module)
            .map(|(_, state)| state.as_str())
    };
    assert_eq!(
        (state("things"), state("zebras")),
        (Some("BLOCKED"), Some("OK"))
    );
    assert_eq!(world.count("select count(*) from prod.zebras").await, 1);
}

#[tokio::test]
async fn a_table_that_never_had_rows_is_not_missed() {
    let world = ListWorld::new(&[module()]).await;
    world.lists.set("things", json!([]));
    world.run().await.expect(0);
    world.run().await.expect(0);
    world
        .lists
        .set("things", json!([{ "id": "t0", "name": "n0", "note": "x" }]));
    world.run().await.expect(0);
    assert_eq!(rows(&world).await, json!([["t0", "n0", "x", false]]));
}
