//! Columns that people added, triggers that skip writes, types that widen, values spelled in another way
//! and unique values that swap.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

fn module() -> ListModule {
    ListModule::new("things", &["name text", "note text"])
}

async fn loaded() -> ListWorld {
    let world = ListWorld::new(&[module()]).await;
    let rows =
        (0..4).map(|n| json!({ "id": format!("t{n}"), "name": format!("n{n}"), "note": "x" }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    world
}

/// Conflicts and records that were set aside.
const WAITING: &str =
    "select coalesce(jsonb_agg(jsonb_build_array(kind, source_id, code)), '[]') from ops.problems
    where state = 'open' and kind in ('conflict', 'quarantine', 'approval')";

async fn nothing_waits(world: &ListWorld) {
    assert_eq!(world.values(WAITING).await, json!([[[]]]));
}

#[tokio::test]
async fn a_column_that_people_added_keeps_its_default_and_its_values() {
    for (definition, value, by_default, by_hand) in [
        (
            "boolean not null default false",
            "true",
            json!(false),
            json!(true),
        ),
        (
            "text default 'standard'",
            "'vip'",
            json!("standard"),
            json!("vip"),
        ),
        (
            "text not null default 'standard'",
            "'vip'",
            json!("standard"),
            json!("vip"),
        ),
    ] {
        let world = loaded().await;
        let add = format!(
            "alter table prod.things add column extra {definition};
             update prod.things set extra = {value} where id = 't1'"
        );
        world.sql(&add).await;
        world
            .lists
            .patch("things", "t0", json!({ "name": "changed" }));
        world
            .lists
            .patch("things", "t1", json!({ "name": "changed" }));
        world
            .lists
            .add("things", json!({ "id": "t9", "name": "n9", "note": "x" }));
        let line = world.run().await.expect(0).module("things");
        assert_eq!(line["state"], "OK", "{definition}: {line}");
        let rows =
            "select id, name, extra from prod.things where id in ('t0', 't1', 't9') order by id";
        let expected = json!([
            ["t0", "changed", by_default],
            ["t1", "changed", by_hand],
            ["t9", "n9", by_default],
        ]);
        assert_eq!(world.values(rows).await, expected, "{definition}");
    }
}

#[tokio::test]
async fn generated_and_numbered_columns_that_people_added_are_left_to_the_database() {
    let world = loaded().await;
    let add =
        "alter table prod.things add column upper text generated always as (upper(name)) stored;
        alter table prod.things add column seq bigint generated always as identity";
    world.sql(add).await;
    world
        .lists
        .patch("things", "t0", json!({ "name": "changed" }));
    world
        .lists
        .add("things", json!({ "id": "t9", "name": "n9", "note": "x" }));
    world.run().await.expect(0);
    let rows =
        "select id, upper, seq is not null from prod.things where id in ('t0', 't9') order by id";
    let expected = json!([["t0", "CHANGED", true], ["t9", "N9", true]]);
    assert_eq!(world.values(rows).await, expected);
    world.roll_back(1, &[]).await.expect(0);
    let rows = "select id, upper from prod.things where id in ('t0', 't9') order by id";
    assert_eq!(world.values(rows).await, json!([["t0", "N0"]]));
}

/// A trigger by which the database skips writes of some rows without an error.
fn swallows(when: &str) -> String {
    format!(
        "create function public.skip() returns trigger language plpgsql as $$
            begin if {when} then return null; end if; return new; end $$;
         create trigger skip before insert or update on prod.things for each row execute function public.skip()"
    )
}

/// While a trigger swallows the write the run is not OK; once it is gone, what it swallowed lands.
async fn not_lost(world: &ListWorld, trigger: &str, expected: Value) {
    world.sql(trigger).await;
    let line = world.run().await.module("things");
    assert_ne!(line["state"], "OK", "{trigger}: {line}");
    let run = world.run().await.module("things");
    assert_ne!(run["state"], "OK", "the next run does not forget it: {run}");
    world.sql("drop trigger skip on prod.things").await;
    world.run().await.expect(0);
    let rows = "select id, name, deleted_at is not null from prod.things order by id";
    assert_eq!(world.values(rows).await, expected, "{trigger}");
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn an_update_that_a_trigger_swallows_is_not_taken_for_written() {
    let world = loaded().await;
    world
        .lists
        .patch("things", "t0", json!({ "name": "changed" }));
    world
        .lists
        .patch("things", "t1", json!({ "name": "changed" }));
    let all = json!([
        ["t0", "changed", false],
        ["t1", "changed", false],
        ["t2", "n2", false],
        ["t3", "n3", false]
    ]);
    not_lost(&world, &swallows("new.id = 't0'"), all).await;
}

#[tokio::test]
async fn an_insert_that_a_trigger_swallows_is_not_taken_for_written() {
    let world = loaded().await;
    world
        .lists
        .add("things", json!({ "id": "t9", "name": "n9", "note": "x" }));
    let all = json!([
        ["t0", "n0", false],
        ["t1", "n1", false],
        ["t2", "n2", false],
        ["t3", "n3", false],
        ["t9", "n9", false],
    ]);
    not_lost(&world, &swallows("tg_op = 'INSERT'"), all).await;
}

#[tokio::test]
async fn a_deletion_that_a_trigger_swallows_is_not_taken_for_written() {
    let world = loaded().await;
    world.lists.remove("things", "t3");
    let all = json!([
        ["t0", "n0", false],
        ["t1", "n1", false],
        ["t2", "n2", false],
        ["t3", "n3", true]
    ]);
    not_lost(&world, &swallows("new.deleted_at is not null"), all).await;
}

/// The same module with its column `value` of another type.
fn valued(kind: &str) -> ListModule {
    ListModule::new("things", &["name text", &format!("value {kind}")])
}

/// Thirty rows with a value, whose type widens in the run in which the source changes one of them.
async fn widened(from: &str, to: &str, value: Value, new: Value) {
    let world = ListWorld::new(&[valued(from)]).await;
    let rows = (0..30).map(|n| json!({ "id": format!("t{n:02}"), "name": "n", "value": value }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    world
        .sql("update prod.things set name = 'BY HAND' where id = 't01'")
        .await;
    world.lists.patch("things", "t00", json!({ "value": new }));
    world.write(&valued(to));
    let line = world.run().await.expect(0).module("things");
    assert_eq!(line["state"], "OK", "{from} to {to}: {line}");
    let landed = format!("select count(*) from prod.things where id = 't00' and value = {new}");
    assert_eq!(world.count(&landed).await, 1, "{from} to {to}");
    let others = format!("select count(*) from prod.things where id <> 't00' and value = {value}");
    assert_eq!(world.count(&others).await, 29, "{from} to {to}");
    nothing_waits(&world).await;
    world.lists.patch("things", "t02", json!({ "value": new }));
    world.run().await.expect(0);
    let landed = format!("select count(*) from prod.things where id = 't02' and value = {new}");
    assert_eq!(
        world.count(&landed).await,
        1,
        "{from} to {to}, a later change"
    );
    nothing_waits(&world).await;
}

#[tokio::test]
async fn a_wider_numeric_type_makes_no_conflict() {
    widened("numeric(9,2)", "numeric(12,4)", json!(1.5), json!(9.75)).await;
    widened("numeric(12,4)", "numeric", json!(1.5), json!(9.75)).await;
}

#[tokio::test]
async fn a_wider_integer_type_makes_no_conflict() {
    widened("smallint", "integer", json!(15), json!(975)).await;
    widened("integer", "bigint", json!(15), json!(975)).await;
}

#[tokio::test]
async fn a_type_that_widens_alone_changes_nothing() {
    let world = ListWorld::new(&[valued("numeric(9,2)")]).await;
    let rows = (0..30).map(|n| json!({ "id": format!("t{n:02}"), "name": "n", "value": 1.5 }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    for kind in ["numeric(12,4)", "numeric"] {
        world.write(&valued(kind));
        let line = world.run().await.expect(0).module("things");
        assert_eq!(
            (&line["state"], &line["claims"]["updated"]),
            (&json!("OK"), &json!(0)),
            "{kind}: {line}"
        );
        nothing_waits(&world).await;
    }
}

#[tokio::test]
async fn another_spelling_of_a_value_is_no_change() {
    let world = ListWorld::new(&[ListModule::new(
        "things",
        &["name text", "n numeric", "j jsonb", "d double precision"],
    )])
    .await;
    let record = |text: &str| json!([serde_json::from_str::<Value>(text).expect("JSON")]);
    world.lists.set(
        "things",
        record(r#"{ "id": "1", "name": "a", "n": 1.0, "j": { "x": 1.0, "y": [1, 2] }, "d": 0.1 }"#),
    );
    world.run().await.expect(0);
    let by_hand = "update prod.things set n = 5.50, j = '{\"x\": 2}', d = 0.25 where id = '1'";
    world.sql(by_hand).await;
    world.lists.set("things", record(r#"{ "id": "1", "name": "b", "n": 1.00, "j": { "y": [1, 2.0], "x": 1.00 }, "d": 1e-1 }"#));
    world.run().await.expect(0);
    let row = "select name, n, j, d from prod.things";
    assert_eq!(
        world.values(row).await.to_string(),
        r#"[["b",5.50,{"x":2},0.25]]"#
    );
    nothing_waits(&world).await;
}

async fn named(names: &[(&str, &str)]) -> ListWorld {
    let world = ListWorld::new(&[ListModule::new("things", &["name text unique"])]).await;
    set_names(&world, names);
    world.run().await.expect(0);
    world
}

fn set_names(world: &ListWorld, names: &[(&str, &str)]) {
    let records = names
        .iter()
        .map(|(id, name)| json!({ "id": id, "name": name }));
    world.lists.set("things", records.collect());
}

#[tokio::test]
async fn rows_that_swap_a_unique_value_land_in_one_run() {
    let before = [("a", "A"), ("b", "B"), ("c", "C")];
    for after in [
        &[("a", "B"), ("b", "A"), ("c", "C")][..],
        &[("a", "B"), ("b", "C"), ("c", "A")],
        &[("a", "A"), ("b", "B"), ("c", "X"), ("d", "C")],
        &[("d", "A"), ("a", "D"), ("b", "B"), ("c", "C")],
    ] {
        let world = named(&before).await;
        let first = world
            .values("select id, name from prod.things order by id")
            .await;
        set_names(&world, after);
        let line = world.run().await.expect(0).module("things");
        assert_eq!(line["state"], "OK", "{after:?}: {line}");
        let mut expected: Vec<(&str, &str)> = after.to_vec();
        expected.sort_unstable();
        let rows = "select id, name from prod.things order by id";
        assert_eq!(world.values(rows).await, json!(expected), "{after:?}");
        nothing_waits(&world).await;
        world.roll_back(1, &[]).await.expect(0);
        assert_eq!(world.values(rows).await, first, "{after:?}: and back");
    }
}
