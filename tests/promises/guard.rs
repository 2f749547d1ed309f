//! What a person approves is what was shown and nothing else; a table is never emptied unasked.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

fn thing(n: usize) -> Value {
    json!({ "id": format!("t{n:03}"), "name": format!("n{n}") })
}

/// So many rows, loaded by one run.
async fn loaded(rows: usize) -> ListWorld {
    let world = ListWorld::new(&[ListModule::new("things", &["name text"])]).await;
    world.lists.set("things", (0..rows).map(thing).collect());
    world.run().await.expect(0);
    world
}

/// The run is BLOCKED and leaves one question; gives its number.
async fn blocked(world: &ListWorld) -> String {
    let line = world.run().await.expect(4).module("things");
    assert_eq!(line["state"], "BLOCKED", "{line}");
    let asked = world.rows(QUESTIONS).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    asked[0]["problem_id"].to_string()
}

const QUESTIONS: &str =
    "select problem_id from ops.problems where kind = 'approval' and state = 'open'";
const DELETED: &str = "select count(*) from prod.things where deleted_at is not null";

async fn approve(world: &ListWorld, number: &str) {
    world
        .concord(&["approve", number, "--reason", "I looked."])
        .await
        .expect(0);
}

#[tokio::test]
async fn what_was_approved_passes() {
    let world = loaded(200).await;
    world.lists.set("things", (20..200).map(thing).collect());
    let number = blocked(&world).await;
    approve(&world, &number).await;
    world.run().await.expect(0);
    assert_eq!(world.count(DELETED).await, 20);
}

#[tokio::test]
async fn an_approval_does_not_pass_as_many_deletions_of_other_rows() {
    let world = loaded(200).await;
    world.lists.set("things", (20..200).map(thing).collect());
    let number = blocked(&world).await;
    approve(&world, &number).await;
    world.lists.set("things", (0..180).map(thing).collect());
    let other = blocked(&world).await;
    assert_eq!(world.count(DELETED).await, 0);
    approve(&world, &other).await;
    world.run().await.expect(0);
    let which = "select min(id), count(*) from prod.things where deleted_at is not null";
    assert_eq!(world.values(which).await, json!([["t180", 20]]));
}

#[tokio::test]
async fn an_approval_does_not_pass_other_values_of_the_same_rows() {
    let world = loaded(40).await;
    let renamed = |name: &str| {
        (0..40)
            .map(|n| json!({ "id": format!("t{n:03}"), "name": format!("{name} {n}") }))
            .collect()
    };
    world.lists.set("things", renamed("first"));
    let number = blocked(&world).await;
    approve(&world, &number).await;
    world.lists.set("things", renamed("second"));
    let other = blocked(&world).await;
    let names = "select count(*) from prod.things where name like 'n%'";
    assert_eq!(world.count(names).await, 40, "nothing was changed");
    approve(&world, &other).await;
    world.run().await.expect(0);
    let names = "select count(*) from prod.things where name like 'second %'";
    assert_eq!(world.count(names).await, 40);
}

#[tokio::test]
async fn an_approval_does_not_pass_one_row_more() {
    let world = loaded(200).await;
    world.lists.set("things", (20..200).map(thing).collect());
    let number = blocked(&world).await;
    approve(&world, &number).await;
    world.lists.set("things", (21..200).map(thing).collect());
    blocked(&world).await;
    assert_eq!(world.count(DELETED).await, 0);
}

#[tokio::test]
async fn a_small_table_is_not_emptied_unasked() {
    for rows in [3, 10] {
        let world = loaded(rows).await;
        world.lists.set("things", json!([]));
        let number = blocked(&world).await;
        assert_eq!(world.count(DELETED).await, 0, "of {rows}");
        approve(&world, &number).await;
        world.run().await.expect(0);
        assert_eq!(world.count(DELETED).await, rows as i64, "approved");
    }
}

#[tokio::test]
async fn a_small_table_whose_rows_were_all_replaced_is_not_emptied_unasked() {
    let world = loaded(8).await;
    world.lists.set("things", (100..108).map(thing).collect());
    blocked(&world).await;
    assert_eq!(world.count(DELETED).await, 0);
}

#[tokio::test]
async fn a_few_rows_of_a_small_table_may_go_unasked() {
    let world = loaded(12).await;
    world.lists.set("things", (3..12).map(thing).collect());
    world.run().await.expect(0);
    assert_eq!(world.count(DELETED).await, 3);
}

/// The same run again is BLOCKED, says who rejected it and why, and asks nothing.
async fn stays_rejected(world: &ListWorld) {
    let line = world.run().await.expect(4).module("things");
    assert_eq!(line["state"], "BLOCKED", "{line}");
    let cause = line["cause"].as_str().expect("a cause");
    assert!(
        cause.contains("Odile") && cause.contains("The list was cut off."),
        "{cause}"
    );
    assert_eq!(
        world.rows(QUESTIONS).await.len(),
        0,
        "it is not proposed again"
    );
    assert_eq!(world.count(DELETED).await, 0);
}

#[tokio::test]
async fn a_rejected_change_set_is_not_proposed_again_until_it_differs() {
    let world = loaded(200).await;
    world.lists.set("things", (20..200).map(thing).collect());
    let number = blocked(&world).await;
    world
        .concord(&["approve", &number, "--reject", "--actor", "Odile"])
        .await
        .expect(2);
    let reject = [
        "approve",
        &number,
        "--reject",
        "--reason",
        "The list was cut off.",
        "--actor",
        "Odile",
    ];
    world.concord(&reject).await.expect(0);
    for _ in 0..2 {
        stays_rejected(&world).await;
    }
    world
        .concord(&["approve", &number, "--reason", "After all."])
        .await
        .expect(2);
    world.lists.set("things", (30..200).map(thing).collect());
    let other = blocked(&world).await;
    approve(&world, &other).await;
    world.run().await.expect(0);
    assert_eq!(world.count(DELETED).await, 30);
}

#[tokio::test]
async fn a_rejected_change_set_is_forgotten_once_the_source_is_whole_again() {
    let world = loaded(200).await;
    world.lists.set("things", (20..200).map(thing).collect());
    let number = blocked(&world).await;
    let reject = [
        "approve",
        &number,
        "--reject",
        "--reason",
        "The list was cut off.",
        "--actor",
        "Odile",
    ];
    world.concord(&reject).await.expect(0);
    world.lists.set("things", (0..200).map(thing).collect());
    world
        .lists
        .patch("things", "t000", json!({ "name": "changed" }));
    let line = world.run().await.expect(0).module("things");
    assert_eq!(line["state"], "OK", "{line}");
    let name = "select name from prod.things where id = 't000'";
    assert_eq!(world.values(name).await, json!([["changed"]]));
}
