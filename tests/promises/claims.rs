//! What a record says of its entity counts as long as it says so, whoever led before and whatever came first.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

/// A module of the shared table `things`, whose records meet by their e-mail address.
fn member(name: &str) -> ListModule {
    ListModule::new(
        name,
        &["name text", "email text", "note text", "phone text"],
    )
    .table("things")
    .matched_by_email()
}

const CONFLICTS: &str =
    "select count(*) from ops.problems where kind = 'conflict' and state = 'open'";

/// Anna of `ma` and Anne of `mb` are one entity, led by `ma`. Each module has another record as well.
async fn anna_and_anne() -> ListWorld {
    let world = ListWorld::new(&[member("ma"), member("mb")]).await;
    world.lists.set("ma", json!([
        { "id": "1", "name": "Anna", "email": "a@x.example", "note": "from ma", "phone": "111" },
        { "id": "2", "name": "Other", "email": "other@x.example" },
    ]));
    world.lists.set(
        "mb",
        json!([
            { "id": "9", "name": "Anne", "email": "a@x.example", "note": "from mb" },
            { "id": "8", "name": "Another", "email": "another@x.example" },
        ]),
    );
    world.run().await.expect(0);
    assert_eq!(
        world.values(ANNA).await,
        json!([["Anna", "from ma", "111", false]])
    );
    world
}

/// The one row of the address.
const ANNA: &str =
    "select name, note, phone, deleted_at is not null from prod.things where email = 'a@x.example'";

#[tokio::test]
async fn when_the_leading_record_goes_its_values_go_with_it() {
    let world = anna_and_anne().await;
    world.lists.remove("ma", "1");
    world.run().await.expect(0);
    assert_eq!(
        world.values(ANNA).await,
        json!([["Anne", "from mb", null, false]])
    );
    world.lists.patch("mb", "9", json!({ "name": "Annie" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(ANNA).await,
        json!([["Annie", "from mb", null, false]])
    );
    assert_eq!(world.count(CONFLICTS).await, 0, "nobody wrote by hand");
}

#[tokio::test]
async fn when_the_leading_record_goes_what_people_wrote_stays() {
    let world = anna_and_anne().await;
    world
        .sql("update prod.things set note = 'BY HAND' where email = 'a@x.example'")
        .await;
    world.lists.remove("ma", "1");
    world.run().await.expect(0);
    world.lists.patch("mb", "9", json!({ "name": "Annie" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(ANNA).await,
        json!([["Annie", "BY HAND", null, false]])
    );
}

#[tokio::test]
async fn when_a_leading_record_returns_its_values_do() {
    let world = anna_and_anne().await;
    let anna = world.lists.remove("ma", "1");
    world.run().await.expect(0);
    world.lists.add("ma", anna);
    world.run().await.expect(0);
    let row = world.values(ANNA).await;
    assert_eq!(row[0][2], "111", "its phone, which nobody else has: {row}");
    let steady = world.values("select * from prod.things order by id").await;
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    assert_eq!(
        world.values("select * from prod.things order by id").await,
        steady
    );
}

/// Parents `p0` and `p1`, and children that are unlinked where their parent is missing.
async fn unlinking() -> ListWorld {
    let kids = ListModule::new("kids", &["name text", "parent_id text"]).refers(
        "parent_id",
        "parents",
        "unlink",
    );
    let world = ListWorld::new(&[ListModule::new("parents", &["name text"]), kids]).await;
    world.lists.set(
        "parents",
        json!([{ "id": "p0", "name": "P0" }, { "id": "p1", "name": "P1" }]),
    );
    world.lists.set(
        "kids",
        json!([
            { "id": "k0", "name": "K0", "parent_id": "p0" },
            { "id": "k1", "name": "K1", "parent_id": "p1" },
        ]),
    );
    world.run().await.expect(0);
    world
}

const KIDS: &str = "select id, name, parent_id from prod.kids order by id";

#[tokio::test]
async fn unlinked_from_a_parent_that_is_missing_no_child_keeps_the_one_before() {
    let world = unlinking().await;
    world.lists.patch(
        "kids",
        "k0",
        json!({ "name": "moved", "parent_id": "late" }),
    );
    world
        .lists
        .patch("kids", "k1", json!({ "parent_id": "late" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(KIDS).await,
        json!([["k0", "moved", null], ["k1", "K1", null]])
    );
    world
        .lists
        .add("parents", json!({ "id": "late", "name": "Late" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(KIDS).await,
        json!([["k0", "moved", "late"], ["k1", "K1", "late"]])
    );
    assert_eq!(world.count(CONFLICTS).await, 0);
}

#[tokio::test]
async fn a_child_that_waits_for_a_second_missing_parent_and_then_finds_one_is_linked() {
    let world = unlinking().await;
    for parent in ["late", "later"] {
        world
            .lists
            .patch("kids", "k0", json!({ "parent_id": parent }));
        world.run().await.expect(0);
        assert_eq!(
            world.values(KIDS).await[0],
            json!(["k0", "K0", null]),
            "{parent}"
        );
    }
    world
        .lists
        .add("parents", json!({ "id": "late", "name": "Late" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(KIDS).await[0],
        json!(["k0", "K0", null]),
        "it names another one by now"
    );
    world
        .lists
        .patch("kids", "k0", json!({ "parent_id": "p1" }));
    world.run().await.expect(0);
    assert_eq!(world.values(KIDS).await[0], json!(["k0", "K0", "p1"]));
}

/// The row that a record is, by its module and id.
async fn row_of(world: &ListWorld, module: &str, id: &str) -> Value {
    let row = format!(
        "select entity_id from prod.identities where module = '{module}' and source_id = '{id}' and valid_to is null"
    );
    world.values(&row).await[0][0].clone()
}

#[tokio::test]
async fn an_unmerged_record_takes_its_children_with_it_and_a_rollback_gives_them_back() {
    let kids =
        ListModule::new("kids", &["name text", "parent_id text"]).refers("parent_id", "mb", "park");
    let world = anna_and_anne().await;
    world.write(&kids);
    world.lists.set("kids", json!([{ "id": "k0", "name": "K0", "parent_id": "9" }, { "id": "k1", "name": "K1", "parent_id": "8" }]));
    world.run().await.expect(0);
    let parents = "select parent_id from prod.kids order by id";
    let (anna, other) = (
        row_of(&world, "ma", "1").await,
        row_of(&world, "mb", "8").await,
    );
    assert_eq!(world.values(parents).await, json!([[anna], [other]]));
    world
        .concord(&["unmerge", "mb/9", "--reason", "Not the same."])
        .await
        .expect(0);
    let unmerged = world.head().await;
    let anne = row_of(&world, "mb", "9").await;
    assert_ne!(anne, anna);
    assert_eq!(
        world.values(parents).await,
        json!([[anne], [other]]),
        "at once"
    );
    world.run().await.expect(0);
    world
        .lists
        .patch("kids", "k0", json!({ "name": "changed" }));
    world.run().await.expect(0);
    assert_eq!(
        world.values(parents).await,
        json!([[anne], [other]]),
        "and so it stays"
    );
    let names = "select name, phone from prod.things where email = 'a@x.example' order by name";
    assert_eq!(
        world.values(names).await,
        json!([["Anna", "111"], ["Anne", null]])
    );
    world.roll_back(unmerged - 1, &[]).await.expect(0);
    world.lists.add(
        "kids",
        json!({ "id": "k2", "name": "K2", "parent_id": "9" }),
    );
    world.run().await.expect(0);
    assert_eq!(
        world.values(parents).await,
        json!([[anna], [other], [anna]]),
        "they are one again"
    );
}

#[tokio::test]
async fn an_unmerged_row_that_is_rolled_back_stops_none_of_its_children() {
    let kids =
        ListModule::new("kids", &["name text", "parent_id text"]).refers("parent_id", "mb", "park");
    let world = anna_and_anne().await;
    world.write(&kids);
    world.lists.set("kids", json!([]));
    world.run().await.expect(0);
    world
        .concord(&["unmerge", "mb/9", "--reason", "Not the same."])
        .await
        .expect(0);
    world.roll_back(world.head().await - 1, &[]).await.expect(0);
    world.lists.add(
        "kids",
        json!({ "id": "k0", "name": "K0", "parent_id": "9" }),
    );
    world.run().await.expect(0);
    let dangling = "select count(*) from prod.kids k where not exists (select from prod.things t where t.id = k.parent_id)";
    assert_eq!(world.count(dangling).await, 0);
}

/// A record leaves `ma` and appears in `mb`; the two modules then run in this order.
async fn moved(modules: [ListModule; 2], order: [&str; 2]) -> ListWorld {
    let world = ListWorld::new(&modules).await;
    let record = |id: &str| json!({ "id": id, "name": format!("N{id}"), "email": format!("n{id}@x.example") });
    world.lists.set("ma", json!([record("7"), record("8")]));
    world.lists.set("mb", json!([record("6")]));
    world.run().await.expect(0);
    world
        .sql("update prod.things set note = 'kept by hand' where name = 'N7'")
        .await;
    let leaves = world.lists.remove("ma", "7");
    world.lists.add("mb", leaves);
    for module in order {
        world.run_sync(&["--module", module]).await.expect(0);
    }
    world.run().await.expect(0);
    world
}

const MOVED: &str = "select name, note, deleted_at is not null from prod.things order by name, deleted_at is null, note";

#[tokio::test]
async fn a_record_that_moves_to_another_module_of_its_table_stays_one_row_in_either_order() {
    for order in [["ma", "mb"], ["mb", "ma"]] {
        let world = moved([member("ma"), member("mb")], order).await;
        let expected = json!([
            ["N6", null, false],
            ["N7", "kept by hand", false],
            ["N8", null, false]
        ]);
        assert_eq!(world.values(MOVED).await, expected, "{order:?}");
        let who = row_of(&world, "mb", "7").await;
        let alive = "select id from prod.things where name = 'N7' and deleted_at is null";
        assert_eq!(world.values(alive).await, json!([[who]]), "{order:?}");
    }
}

#[tokio::test]
async fn a_record_that_moves_without_a_key_is_another_row_in_either_order() {
    let keyless = |name: &str| {
        ListModule::new(name, &["name text", "email text", "note text"]).table("things")
    };
    for order in [["ma", "mb"], ["mb", "ma"]] {
        let world = moved([keyless("ma"), keyless("mb")], order).await;
        let expected = json!([
            ["N6", null, false],
            ["N7", "kept by hand", true],
            ["N7", null, false],
            ["N8", null, false],
        ]);
        assert_eq!(world.values(MOVED).await, expected, "{order:?}");
    }
}

/// A client whose tags are a list that people may add to.
fn tagged(name: &str) -> ListModule {
    ListModule::new(name, &["name text", "email text", "tags text[]"])
        .table("clients")
        .matched_by_email()
        .with("ownership: { tags: append }")
        .with("placeholder: { name: 'Unknown ({id})' }")
}

/// A child names client `c9`, who is not there; people write a tag into the placeholder.
async fn tagged_placeholder(modules: &[ListModule]) -> ListWorld {
    let kids =
        ListModule::new("kids", &["client_id text"]).refers("client_id", "clients", "placeholder");
    let world = ListWorld::new(&[modules, &[kids]].concat()).await;
    world.lists.set("clients", json!([]));
    world.lists.set(
        "people",
        json!([{ "id": "p1", "name": "Odile", "email": "odile@x.example", "tags": ["old"] }]),
    );
    world
        .lists
        .set("kids", json!([{ "id": "k0", "client_id": "c9" }]));
    world.run().await.expect(0);
    world
        .sql("update prod.clients set tags = array['by hand'] where is_placeholder")
        .await;
    world
}

/// The client arrives and turns out to be somebody known: what people wrote and these tags are in one row.
async fn client_arrives(world: &ListWorld, tags: &[&str]) {
    let record = |tags: &[&str]| json!({ "id": "c9", "name": "Odile", "email": "odile@x.example", "tags": tags });
    world.lists.add("clients", record(&["src"]));
    for _ in 0..2 {
        world.run().await.expect(0);
        let missing = format!(
            "select array(select unnest(array['by hand', '{}']) except select unnest(c.tags)) from prod.clients c
             where c.id = (select client_id from prod.kids)",
            tags.join("', '")
        );
        assert_eq!(world.values(&missing).await, json!([[[]]]), "missing tags");
        let alive = "select count(*) from prod.clients where email = 'odile@x.example' and deleted_at is null";
        assert_eq!(world.count(alive).await, 1);
        world
            .lists
            .patch("clients", "c9", json!({ "tags": ["src", "new"] }));
    }
}

#[tokio::test]
async fn a_tag_written_into_a_placeholder_goes_to_the_row_of_a_person_that_its_record_is() {
    let world = tagged_placeholder(&[tagged("clients")]).await;
    let old = "insert into prod.clients (id, name, email, tags)
        values ('old-1', 'Odile', 'odile@x.example', array['old'])";
    world.sql(old).await;
    client_arrives(&world, &["old", "src"]).await;
}

#[tokio::test]
async fn a_tag_written_into_a_placeholder_goes_to_the_entity_of_another_module_that_its_record_is()
{
    let world = tagged_placeholder(&[tagged("clients"), tagged("people")]).await;
    client_arrives(&world, &["old"]).await;
}
