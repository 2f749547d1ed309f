//! Records of different modules or sources never meet by their ids alone, and every record keeps its own row.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

fn member(name: &str) -> ListModule {
    ListModule::new(name, &["name text", "note text"]).table("things")
}

fn record(id: &str, name: &str) -> Value {
    json!({ "id": id, "name": name, "note": name })
}

/// Every record and the name that stands in its row.
const ROWS: &str = "select i.module, i.source_id, t.name from prod.identities i join prod.things t on t.id = i.entity_id
    where i.valid_to is null and i.entity = 'things' order by i.module, i.source_id";
const COUNT: &str = "select count(*) from prod.things";

/// Each module lists these records; the table has one row for each, also after each of them changed alone.
async fn each_its_own(modules: &[ListModule], listed: &[(&str, &[&str])]) {
    let world = ListWorld::new(modules).await;
    let all = || {
        listed
            .iter()
            .flat_map(|(module, ids)| ids.iter().map(move |id| (*module, *id)))
    };
    for (module, ids) in listed {
        let records = ids
            .iter()
            .map(|id| record(id, &format!("{id} of {module}")));
        world.lists.set(module, records.collect());
    }
    let mut expected: Vec<(&str, &str, String)> = all()
        .map(|(module, id)| (module, id, format!("{id} of {module}")))
        .collect();
    expected.sort();
    for _ in 0..2 {
        world.run().await.expect(0);
        assert_eq!(world.values(ROWS).await, json!(expected));
        assert_eq!(world.count(COUNT).await, expected.len() as i64);
    }
    for (module, id) in all() {
        let name = format!("{id} of {module} changed");
        world.lists.patch(module, id, json!({ "name": name }));
        world.run().await.expect(0);
        let of = expected
            .iter_mut()
            .find(|(m, i, _)| (*m, *i) == (module, id));
        of.expect("a record").2 = name;
        assert_eq!(world.values(ROWS).await, json!(expected), "{module}/{id}");
    }
    let conflicts = "select count(*) from ops.problems where state = 'open' and kind = 'conflict'";
    assert_eq!(world.count(conflicts).await, 0);
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn one_id_in_three_modules_of_a_table_is_three_rows() {
    each_its_own(
        &[member("ma"), member("mb"), member("mc")],
        &[("ma", &["1"]), ("mb", &["1"]), ("mc", &["1"])],
    )
    .await;
}

#[tokio::test]
async fn one_id_in_two_modules_and_two_sources_is_four_rows() {
    let modules = [
        member("ma"),
        member("mb"),
        member("oa").source("other"),
        member("ob").source("other"),
    ];
    each_its_own(
        &modules,
        &[
            ("ma", &["1"]),
            ("mb", &["1"]),
            ("oa", &["1"]),
            ("ob", &["1"]),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_id_that_looks_like_one_made_for_another_module_is_its_own_row() {
    let ids: [&str; 6] = ["1", "src:1", "mb:1", "src:mb:1", "src/mb/1", "mb/1"];
    each_its_own(
        &[member("ma"), member("mb")],
        &[("ma", &ids), ("mb", &["1"])],
    )
    .await;
    each_its_own(
        &[member("ma"), member("mb")],
        &[("ma", &["1"]), ("mb", &ids)],
    )
    .await;
}

#[tokio::test]
async fn modules_of_one_table_that_own_it_as_sources_keep_their_rows_apart_as_well() {
    let owned = |name: &str| member(name).with("ownership: { name: source, note: source }");
    let modules = [owned("ma"), owned("mb"), owned("mc")];
    let listed: [(&str, &[&str]); 3] = [("ma", &["1", "2"]), ("mb", &["2", "1"]), ("mc", &["1"])];
    each_its_own(&modules, &listed).await;
}

#[tokio::test]
async fn an_id_that_a_rollback_freed_is_not_taken_from_its_record() {
    let world = ListWorld::new(&[member("ma"), member("mb")]).await;
    world.lists.set("ma", json!([record("0", "Zero")]));
    world.lists.set("mb", json!([]));
    world.run().await.expect(0);
    world.lists.add("ma", record("1", "Anna"));
    world.run().await.expect(0);
    world.roll_back(world.head().await - 1, &[]).await.expect(0);
    world.lists.add("mb", record("1", "Boris"));
    world.run().await.expect(0);
    let names = "select name from prod.things order by name";
    assert_eq!(world.values(names).await, json!([["Boris"], ["Zero"]]));
    world
        .lists
        .patch("ma", "1", json!({ "name": "Anna-Maria" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(names).await,
        json!([["Anna-Maria"], ["Boris"], ["Zero"]])
    );
    world.lists.patch("mb", "1", json!({ "name": "Boris II" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(names).await,
        json!([["Anna-Maria"], ["Boris II"], ["Zero"]])
    );
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn an_id_that_a_rollback_freed_and_a_later_rollback_fills_again_is_still_its_records() {
    let world = ListWorld::new(&[member("ma"), member("mb")]).await;
    world.lists.set("ma", json!([record("0", "Zero")]));
    world.lists.set("mb", json!([]));
    world.run().await.expect(0);
    world.lists.add("ma", record("1", "Anna"));
    world.run().await.expect(0);
    let loaded = world.head().await;
    world.roll_back(loaded - 1, &[]).await.expect(0);
    world.lists.add("mb", record("1", "Boris"));
    world.run().await.expect(0);
    world.roll_back(loaded, &[]).await.expect(0);
    let names = "select name from prod.things order by name";
    assert_eq!(
        world.values(names).await,
        json!([["Anna"], ["Zero"]]),
        "as it was then"
    );
    world.lists.patch("mb", "1", json!({ "name": "Boris II" }));
    world.lists.patch("ma", "1", json!({ "name": "Anna II" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(names).await,
        json!([["Anna II"], ["Boris II"], ["Zero"]])
    );
}

#[tokio::test]
async fn ids_made_of_parts_are_different_where_their_parts_are() {
    let things = ListModule::new("things", &["a text", "b text", "name text"]).id("[.a, .b]");
    let world = ListWorld::new(&[things]).await;
    let parts = [
        ("x:y", "z"),
        ("x", "y:z"),
        ("x:", "y"),
        ("x", ":y"),
        ("x\\", "y"),
        ("x\\:", "y"),
        ("q", "r"),
    ];
    let records = parts.map(|(a, b)| json!({ "a": a, "b": b, "name": format!("{a} and {b}") }));
    world.lists.set("things", json!(records));
    for _ in 0..2 {
        let line = world.run().await.expect(0).module("things");
        assert_eq!(line["state"], "OK", "{line}");
        assert_eq!(world.count(COUNT).await, parts.len() as i64);
    }
    world.lists.set("things", json!(records[..3]));
    world.run().await.expect(0);
    let alive = "select name from prod.things where deleted_at is null order by name collate \"C\"";
    assert_eq!(
        world.values(alive).await,
        json!([["x and y:z"], ["x: and y"], ["x:y and z"]])
    );
}
