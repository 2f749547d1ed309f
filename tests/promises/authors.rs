//! An edit by hand is its author's, is listed as that, and is given up by `concord overrides release`.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::world::{ListModule, ListWorld};

async fn things() -> ListWorld {
    let world = ListWorld::new(&[ListModule::new("things", &["name text", "note text"])]).await;
    let rows =
        (0..3).map(|n| json!({ "id": format!("t{n}"), "name": format!("n{n}"), "note": "x" }));
    world.lists.set("things", rows.collect());
    world.run().await.expect(0);
    world
}

/// A role that may edit production, and nothing of Concord's own.
struct Person {
    role: String,
}

impl Person {
    async fn new(world: &ListWorld, name: &str) -> Person {
        let database = world.rows("select current_database() as name").await;
        let role = format!(
            "{name}_of_{}",
            database[0]["name"].as_str().expect("a name")
        );
        let grants = format!(
            "create role {role};
             grant usage on schema prod to {role};
             grant select, insert, update, delete on prod.things to {role}"
        );
        world.sql(&grants).await;
        Person { role }
    }

    /// Edits with a program of this name; gives the database's time before and after.
    async fn edits(&self, world: &ListWorld, program: &str, sql: &str) -> [Value; 2] {
        let time = "select clock_timestamp() as at";
        let before = world.rows(time).await[0]["at"].clone();
        let mut connection = PgConnection::connect(&world.database.url)
            .await
            .expect("a connection");
        let edit = format!(
            "set application_name = '{program}'; set session authorization {}; {sql}",
            self.role
        );
        sqlx::raw_sql(AssertSqlSafe(edit))
            .execute(&mut connection)
            .await
            .expect("an edit");
        connection.close().await.expect("the connection closes");
        [before, world.rows(time).await[0]["at"].clone()]
    }

    /// Takes the role away, since roles outlive databases; gives its name.
    async fn leaves(self, world: &ListWorld) -> String {
        let role = self.role;
        world
            .sql(&format!("drop owned by {role}; drop role {role}"))
            .await;
        role
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn each_edit_has_the_author_and_the_time_that_the_database_knows() {
    let world = things().await;
    let (anna, boris) = (
        Person::new(&world, "anna").await,
        Person::new(&world, "boris").await,
    );
    let first = "update prod.things set name = 'Anna was here' where id = 't0'";
    let [from, to] = anna.edits(&world, "annas editor", first).await;
    let second = "update prod.things set note = 'Boris as well' where id = 't0'; delete from prod.things where id = 't1'";
    let [from_second, to_second] = boris.edits(&world, "boris tool", second).await;
    let (anna_role, boris_role) = (anna.leaves(&world).await, boris.leaves(&world).await);
    world.run().await.expect(0);
    let found = "select entity_id, cell, author, to_jsonb(o)::text as whole, set_at from prod.overrides o order by entity_id, cell";
    let found = world.rows(found).await;
    let expected = [
        ("t0", "name", anna_role, "annas editor", from, to),
        (
            "t0",
            "note",
            boris_role.clone(),
            "boris tool",
            from_second.clone(),
            to_second.clone(),
        ),
        ("t1", "", boris_role, "boris tool", from_second, to_second),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (edit, (id, cell, author, program, from, to)) in found.iter().zip(expected) {
        assert_eq!(
            (&edit["entity_id"], &edit["cell"]),
            (&json!(id), &json!(cell))
        );
        assert!(text(&edit["author"]).contains(&author), "{edit}");
        assert!(text(&edit["whole"]).contains(program), "{edit}");
        let at = text(&edit["set_at"]);
        assert!(
            text(&from) <= at && at <= text(&to),
            "{at} lies within {from} and {to}"
        );
    }
}

#[tokio::test]
async fn the_last_of_two_who_edit_one_cell_is_its_author() {
    let world = things().await;
    let (anna, boris) = (
        Person::new(&world, "anna").await,
        Person::new(&world, "boris").await,
    );
    anna.edits(
        &world,
        "one",
        "update prod.things set name = 'first' where id = 't0'",
    )
    .await;
    boris
        .edits(
            &world,
            "two",
            "update prod.things set name = 'second' where id = 't0'",
        )
        .await;
    anna.leaves(&world).await;
    let role = boris.leaves(&world).await;
    world.lists.patch("things", "t0", json!({ "note": "y" }));
    world.run().await.expect(0);
    let found = world.rows("select author, value from prod.overrides").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["value"], "second");
    assert!(text(&found[0]["author"]).contains(&role), "{found:?}");
}

#[tokio::test]
async fn overrides_are_listed_and_a_released_cell_is_its_sources_again() {
    let world = things().await;
    world
        .sql("update prod.things set name = 'BY HAND', note = 'also' where id = 't0'")
        .await;
    world
        .lists
        .patch("things", "t0", json!({ "name": "FROM SOURCE" }));
    world.run().await.expect(0);
    let row = "select name, note from prod.things where id = 't0'";
    assert_eq!(world.values(row).await, json!([["BY HAND", "also"]]));
    let listed = world
        .concord(&["overrides", "--json"])
        .await
        .expect(0)
        .json();
    let state = |cell: &str| {
        let all = listed.as_array().expect("a list");
        let of = all
            .iter()
            .find(|o| o["entity_id"] == "t0" && o["cell"] == cell);
        of.unwrap_or_else(|| panic!("no override of {cell}: {listed}"))["state"].clone()
    };
    assert_eq!(
        (state("name"), state("note")),
        (json!("conflict"), json!("holds"))
    );
    world
        .concord(&["overrides", "release", "things/t0.name"])
        .await
        .expect(2);
    let release = [
        "overrides",
        "release",
        "things/t0.name",
        "--reason",
        "The source is right.",
    ];
    world.concord(&release).await.expect(0);
    world.run().await.expect(0);
    assert_eq!(
        world.values(row).await,
        json!([["FROM SOURCE", "also"]]),
        "the other cell holds"
    );
    let states = "select cell, state from prod.overrides order by cell, state";
    let expected = json!([["name", "released"], ["note", "holds"]]);
    assert_eq!(world.values(states).await, expected);
    world
        .lists
        .patch("things", "t0", json!({ "name": "LATER", "note": "LATER" }));
    world.run().await.expect(0);
    assert_eq!(world.values(row).await, json!([["LATER", "also"]]));
    world
        .concord(&[
            "overrides",
            "release",
            "things/t0",
            "--reason",
            "All of it.",
        ])
        .await
        .expect(0);
    world.run().await.expect(0);
    assert_eq!(
        world.values(row).await,
        json!([["LATER", "LATER"]]),
        "a row's overrides at once"
    );
}
