//! What people and rollbacks decided holds, gives way and is released as its owner says, and can be listed.

use serde_json::json;

use crate::world::{ListModule, ListWorld};

/// Five rows, `t0` to `t4`, loaded by one run.
async fn five_things() -> ListWorld {
    let world = ListWorld::new(&[things()]).await;
    let rows =
        (0..5).map(|n| json!({ "id": format!("t{n}"), "name": format!("n{n}"), "note": "x" }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    world
}

fn things() -> ListModule {
    ListModule::new("things", &["name text", "note text"])
}

/// Parents, their children with this fallback, and a module that has nothing to do with them.
async fn family(missing: &str) -> ListWorld {
    let parents =
        ListModule::new("parents", &["name text"]).with("placeholder: { name: 'Unknown ({id})' }");
    let kids = ListModule::new("kids", &["name text", "parent_id text"]);
    let zebras = ListModule::new("zebras", &["name text"]);
    let world = ListWorld::new(&[
        parents,
        kids.refers("parent_id", "parents", missing),
        zebras,
    ])
    .await;
    world
        .lists
        .set("parents", json!([{ "id": "p0", "name": "P0" }]));
    world.lists.set(
        "kids",
        json!([{ "id": "k0", "name": "K0", "parent_id": "p0" }]),
    );
    world
        .lists
        .set("zebras", json!([{ "id": "z0", "name": "Z0" }]));
    world.run().await.expect(0);
    world
        .lists
        .add("parents", json!({ "id": "p1", "name": "P1" }));
    world.run().await.expect(0);
    world
}

/// A child of `p1`, a child of `p0` and a record of the third module arrive.
fn children_arrive(world: &ListWorld) {
    let kid = |id: &str, parent: &str| json!({ "id": id, "name": id, "parent_id": parent });
    world.lists.add("kids", kid("k1", "p1"));
    world.lists.add("kids", kid("k2", "p0"));
    world
        .lists
        .add("zebras", json!({ "id": "z1", "name": "Z1" }));
}

async fn rollback_once(world: &ListWorld) {
    world.roll_back(world.head().await - 1, &[]).await.expect(0);
}

const KIDS: &str = "select id, parent_id from prod.kids order by id";
const ZEBRAS: &str = "select count(*) from prod.zebras";

/// The overrides that hold or are in conflict: entity, id, cell, value, kind, state.
const OVERRIDES: &str = "select entity, entity_id, cell, value, kind, state from prod.overrides
    where state <> 'released' order by entity, entity_id, cell";

#[tokio::test]
async fn a_child_whose_parent_was_rolled_back_waits_and_stops_nobody() {
    let world = family("park").await;
    rollback_once(&world).await;
    children_arrive(&world);
    world.run().await.expect(0);
    assert_eq!(
        world.values(KIDS).await,
        json!([["k0", "p0"], ["k2", "p0"]])
    );
    assert_eq!(world.count(ZEBRAS).await, 2, "later modules run");
    world
        .lists
        .patch("parents", "p1", json!({ "name": "P1 is back" }));
    world.run().await.expect(0);
    let all = json!([["k0", "p0"], ["k1", "p1"], ["k2", "p0"]]);
    assert_eq!(
        world.values(KIDS).await,
        all,
        "the parent gives way to its source, and its child lands"
    );
}

#[tokio::test]
async fn a_child_whose_parent_was_rolled_back_gets_a_placeholder_where_it_asks_for_one() {
    let world = family("placeholder").await;
    rollback_once(&world).await;
    children_arrive(&world);
    world.run().await.expect(0);
    let all = json!([["k0", "p0"], ["k1", "p1"], ["k2", "p0"]]);
    assert_eq!(world.values(KIDS).await, all);
    let made_up = "select count(*) from prod.parents where id = 'p1' and is_placeholder";
    assert_eq!(world.count(made_up).await, 1);
    assert_eq!(world.count(ZEBRAS).await, 2);
}

#[tokio::test]
async fn a_child_whose_parent_was_rolled_back_lands_unlinked_where_it_asks_for_that() {
    let world = family("unlink").await;
    rollback_once(&world).await;
    children_arrive(&world);
    world.run().await.expect(0);
    let all = json!([["k0", "p0"], ["k1", null], ["k2", "p0"]]);
    assert_eq!(world.values(KIDS).await, all);
    world
        .lists
        .patch("parents", "p1", json!({ "name": "P1 is back" }));
    world.run().await.expect(0);
    let all = json!([["k0", "p0"], ["k1", "p1"], ["k2", "p0"]]);
    assert_eq!(world.values(KIDS).await, all);
}

#[tokio::test]
async fn a_child_whose_parent_a_person_deleted_waits_and_stops_nobody() {
    let world = family("park").await;
    world.sql("delete from prod.parents where id = 'p1'").await;
    children_arrive(&world);
    world.run().await.expect(0);
    assert_eq!(
        world.values(KIDS).await,
        json!([["k0", "p0"], ["k2", "p0"]])
    );
    assert_eq!(world.count(ZEBRAS).await, 2);
    let there = "select cell, kind, state from prod.overrides where entity = 'parents' and entity_id = 'p1'";
    assert_eq!(
        world.values(there).await,
        json!([["", "manual", "holds"]]),
        "the row's being there"
    );
    world
        .concord(&[
            "overrides",
            "release",
            "parents/p1",
            "--reason",
            "By mistake.",
        ])
        .await
        .expect(0);
    world.run().await.expect(0);
    let all = json!([["k0", "p0"], ["k1", "p1"], ["k2", "p0"]]);
    assert_eq!(world.values(KIDS).await, all, "released, it stands again");
}

#[tokio::test]
async fn a_rollback_leaves_the_edits_by_hand_of_its_rows_protected() {
    let world = five_things().await;
    world
        .sql("update prod.things set name = 'BY HAND' where id = 't0'")
        .await;
    for note in ["y", "z"] {
        world.lists.patch("things", "t0", json!({ "note": note }));
        world.run().await.expect(0);
    }
    rollback_once(&world).await;
    let row = "select name, note from prod.things where id = 't0'";
    assert_eq!(world.values(row).await, json!([["BY HAND", "y"]]));
    world
        .lists
        .patch("things", "t0", json!({ "name": "FROM SOURCE" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(row).await,
        json!([["BY HAND", "y"]]),
        "the source's name is a conflict"
    );
    let held = json!([
        ["things", "t0", "name", "BY HAND", "manual", "conflict"],
        ["things", "t0", "note", "y", "restore", "holds"],
    ]);
    assert_eq!(world.values(OVERRIDES).await, held);
}

#[tokio::test]
async fn an_edit_that_equals_what_a_rollback_once_restored_is_an_edit() {
    let world = five_things().await;
    let name = async |name: &str| {
        world.lists.patch("things", "t0", json!({ "name": name }));
        world.run().await.expect(0);
    };
    name("B").await;
    rollback_once(&world).await;
    name("C").await;
    let row = "select name, note from prod.things where id = 't0'";
    assert_eq!(
        world.values(row).await,
        json!([["C", "x"]]),
        "a restored cell gives way"
    );
    world
        .sql("update prod.things set name = 'n0' where id = 't0'")
        .await;
    world.lists.patch("things", "t0", json!({ "note": "y" }));
    world.run().await.expect(0);
    name("D").await;
    assert_eq!(world.values(row).await, json!([["n0", "y"]]));
    let held = json!([["things", "t0", "name", "n0", "manual", "conflict"]]);
    assert_eq!(world.values(OVERRIDES).await, held);
}

#[tokio::test]
async fn an_edit_of_a_restored_cell_holds_although_the_restored_value_would_give_way() {
    let world = five_things().await;
    world.lists.patch("things", "t0", json!({ "name": "B" }));
    world.run().await.expect(0);
    rollback_once(&world).await;
    world
        .sql("update prod.things set name = 'BY HAND' where id = 't0'")
        .await;
    world.lists.patch("things", "t0", json!({ "name": "C" }));
    world.run().await.expect(0);
    let row = "select name from prod.things where id = 't0'";
    assert_eq!(world.values(row).await, json!([["BY HAND"]]));
    let held = json!([["things", "t0", "name", "BY HAND", "manual", "conflict"]]);
    assert_eq!(world.values(OVERRIDES).await, held);
}

#[tokio::test]
async fn a_living_record_rolled_back_to_its_tombstone_returns_when_it_changes() {
    let world = five_things().await;
    let record = world.lists.remove("things", "t0");
    world.run().await.expect(0);
    world.lists.add("things", record);
    world.run().await.expect(0);
    rollback_once(&world).await;
    let row = "select name, deleted_at is not null from prod.things where id = 't0'";
    for mode in ["incremental", "full"] {
        world.run_sync(&["--all", "--mode", mode]).await.expect(0);
        assert_eq!(
            world.values(row).await,
            json!([["n0", true]]),
            "an unchanged source undoes nothing"
        );
    }
    world
        .lists
        .patch("things", "t0", json!({ "name": "NEW NAME" }));
    world.run().await.expect(0);
    assert_eq!(world.values(row).await, json!([["NEW NAME", false]]));
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn a_living_record_rolled_back_to_before_its_first_row_returns_when_it_changes() {
    let world = five_things().await;
    world
        .lists
        .add("things", json!({ "id": "t5", "name": "n5", "note": "x" }));
    world.run().await.expect(0);
    rollback_once(&world).await;
    world.run().await.expect(0);
    let row = "select name, note, deleted_at is not null from prod.things where id = 't5'";
    assert_eq!(world.values(row).await, json!([]));
    world.lists.patch("things", "t5", json!({ "note": "y" }));
    world.run().await.expect(0);
    assert_eq!(world.values(row).await, json!([["n5", "y", false]]));
}

/// A person edits, deletes and inserts rows that no promotion after the first touched.
async fn edited_elsewhere() -> ListWorld {
    let world = five_things().await;
    world.lists.patch("things", "t0", json!({ "name": "two" }));
    world.run().await.expect(0);
    let edits = "update prod.things set name = 'BY MISTAKE' where id = 't3';
        delete from prod.things where id = 't4';
        insert into prod.things (id, name) values ('mine', 'row of a person')";
    world.sql(edits).await;
    world
}

const NAMES: &str = "select id, name from prod.things order by id";

#[tokio::test]
async fn discard_local_names_and_discards_edits_in_rows_that_no_promotion_touched() {
    let world = edited_elsewhere().await;
    let look = ["rollback", "1", "--reason", "Look.", "--dry-run", "--json"];
    for arguments in [&look[..], &[&look[..], &["--discard-local"]].concat()] {
        let plan = world.concord(arguments).await.expect(0).json().to_string();
        for id in ["t3", "t4", "mine"] {
            assert!(
                plan.contains(&format!("\"{id}\"")),
                "{arguments:?} names {id}: {plan}"
            );
        }
    }
    world.roll_back(1, &["--discard-local"]).await.expect(0);
    let first = json!([
        ["t0", "n0"],
        ["t1", "n1"],
        ["t2", "n2"],
        ["t3", "n3"],
        ["t4", "n4"]
    ]);
    assert_eq!(
        world.values(NAMES).await,
        first,
        "production is as it was after promotion 1"
    );
    world
        .lists
        .patch("things", "t3", json!({ "name": "three" }));
    world.run().await.expect(0);
    let name = "select name from prod.things where id = 't3'";
    assert_eq!(
        world.values(name).await,
        json!([["three"]]),
        "a discarded edit protects nothing"
    );
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn without_discard_local_a_rollback_keeps_those_edits() {
    let world = edited_elsewhere().await;
    world.roll_back(1, &[]).await.expect(0);
    let kept = json!([
        ["mine", "row of a person"],
        ["t0", "n0"],
        ["t1", "n1"],
        ["t2", "n2"],
        ["t3", "BY MISTAKE"],
    ]);
    assert_eq!(world.values(NAMES).await, kept);
}

#[tokio::test]
async fn discard_local_gives_up_an_edit_that_a_later_promotion_found() {
    let world = five_things().await;
    world
        .sql("update prod.things set name = 'BY MISTAKE' where id = 't3'")
        .await;
    world.lists.patch("things", "t3", json!({ "note": "y" }));
    world.run().await.expect(0);
    world.roll_back(1, &["--discard-local"]).await.expect(0);
    let row = "select name, note from prod.things where id = 't3'";
    assert_eq!(world.values(row).await, json!([["n3", "x"]]));
    world
        .lists
        .patch("things", "t3", json!({ "name": "three" }));
    world.run().await.expect(0);
    assert_eq!(world.values(row).await, json!([["three", "x"]]));
}
