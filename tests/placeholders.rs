//! A parent made up for its children gives way to the true one, whoever that turns out to be.

use serde_json::{Value, json};

use crate::world::{World, pick, texts};

const CHILDREN: [&str; 4] = ["clients", "pianos", "appointments", "timeline"];

/// One person under two ids, each with a child.
async fn one_person_twice(world: &World) {
    let user = |id: &str, status: &str| {
        json!({ "op": "upsert", "kind": "user", "id": id, "value": {
            "id": id, "firstName": "Line", "lastName": "Roy", "fullName": "Line Roy", "email": "Line.Roy@atelier.example",
            "status": status, "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    let client = |id: &str, technician: &str| {
        json!({ "op": "upsert", "kind": "client", "id": id, "value": {
            "id": id, "companyName": id, "status": "ACTIVE", "tags": [], "preferredTechnician": technician,
            "preferredTechnicianId": technician,
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    world
        .edit(json!([
            user("usr_twice1", "ACTIVE"),
            user("usr_twice2", "INACTIVE"),
            client("cli_of1", "usr_twice1"),
            client("cli_of2", "usr_twice2"),
        ]))
        .await;
}

/// Every production row without what tells only when and how often it was written.
async fn rows(world: &World) -> Value {
    let mut tables = serde_json::Map::new();
    for table in world.tables().await {
        let values = world.values_of(&table).await;
        tables.insert(table, values.into());
    }
    tables.into()
}

async fn technician(world: &World, client: &str) -> Value {
    world.row_of("clients", client).await["technician_id"].take()
}

async fn children_first(world: &World) {
    for module in CHILDREN {
        world.run_sync(&["--module", module]).await.expect(0);
    }
}

#[tokio::test]
async fn a_person_with_two_ids_is_one_row_whoever_comes_first() {
    let (upright, reversed) = (World::small().await, World::small().await);
    for world in [&upright, &reversed] {
        one_person_twice(world).await;
    }
    upright.run_sync(&["--module", "users"]).await.expect(0);
    children_first(&upright).await;
    children_first(&reversed).await;
    let made_up = reversed.placeholders_of("users").await;
    for id in ["usr_twice1", "usr_twice2"] {
        assert!(
            made_up.contains(&id.to_owned()),
            "{id} stands as a placeholder"
        );
    }
    reversed.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(rows(&reversed).await, rows(&upright).await);
    for id in ["cli_of1", "cli_of2"] {
        assert_eq!(technician(&reversed, id).await, "usr_twice1", "{id}");
    }
    assert_eq!(reversed.claims().await, upright.claims().await);
    assert_eq!(reversed.match_keys().await, upright.match_keys().await);
    let tasks = async |world: &World| {
        let tasks = world.open_problems_with("unknown_parent").await;
        texts(&tasks, "source_id")
    };
    assert_eq!(tasks(&reversed).await, tasks(&upright).await);
    for world in [&upright, &reversed] {
        world.run_sync(&["--all"]).await.expect(0);
        let steady = world.exact().await;
        world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
        assert_eq!(world.exact().await, steady, "and nothing moves any more");
    }
}

#[tokio::test]
async fn a_fold_is_explained_and_can_be_undone_and_done_again() {
    let world = World::small().await;
    one_person_twice(&world).await;
    children_first(&world).await;
    let before = (world.exact().await, world.head().await);
    world.run_sync(&["--module", "users"]).await.expect(0);
    let after = (world.exact().await, world.head().await);
    let identity = world.identity_of("users", "usr_twice2").await;
    assert_eq!(identity["method"], "exact_key");
    assert_eq!(identity["evidence"]["placeholder"], "usr_twice2");
    assert_eq!(identity["evidence"]["keys"], json!(["email"]));
    let mut told = world.changes_of("clients", "cli_of2").await;
    told.extend(world.changes_of("users", "usr_twice2").await);
    told.retain(|change| change["source_id"] == "usr_twice2");
    assert_eq!(
        pick(&told, &["entity", "operation", "source_id"]),
        [
            json!({ "entity": "clients", "operation": "update", "source_id": "usr_twice2" }),
            json!({ "entity": "users", "operation": "delete", "source_id": "usr_twice2" }),
        ]
    );
    for (state, number) in [&before, &after] {
        let number = number.to_string();
        let arguments = ["rollback", &number, "--reason", "A test.", "--yes"];
        world.concord(&arguments).await.expect(0);
        assert_eq!(world.exact().await, *state);
        world.run_sync(&["--all"]).await.expect(0);
        assert_eq!(
            technician(&world, "cli_of2").await,
            if state == &before.0 {
                "usr_twice2"
            } else {
                "usr_twice1"
            },
            "the next run does not undo it"
        );
    }
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn what_people_wrote_into_a_placeholder_goes_with_it() {
    let world = World::small().await;
    one_person_twice(&world).await;
    children_first(&world).await;
    world
        .sql("update prod.users set name = 'Line, de la part de Marc', color = '#aabbcc' where id = 'usr_twice2';
              update prod.clients set technician_id = 'usr_twice2' where id = 'cli_of1';
              create table prod_notes (user_id text references prod.users (id));
              insert into prod_notes values ('usr_twice2')")
        .await;
    world.run_sync(&["--module", "users"]).await.expect(0);
    let kept = world.row_of("users", "usr_twice1").await;
    assert_eq!(
        (&kept["name"], &kept["color"]),
        (&json!("Line Roy"), &json!("#aabbcc"))
    );
    let told = world.open_problems_with("placeholder_said:name").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["detail"]["written"], "Line, de la part de Marc");
    for id in ["cli_of1", "cli_of2"] {
        assert_eq!(
            technician(&world, id).await,
            "usr_twice1",
            "{id}: an edit by hand names the person too"
        );
    }
    assert!(
        world.row_of("users", "usr_twice2").await["deleted_at"].is_string(),
        "a table of somebody else's may still name it"
    );
}

#[tokio::test]
async fn a_row_that_stands_already_is_not_made_up_anew() {
    let world = World::small().await;
    one_person_twice(&world).await;
    world.run_sync(&["--module", "pianos"]).await.expect(0);
    world
        .sql("insert into prod.users (id, name, color) values ('usr_twice1', 'Ligne de V5', '#aabbcc')")
        .await;
    children_first(&world).await;
    let row = world.row_of("users", "usr_twice1").await;
    assert_eq!(
        (&row["name"], &row["is_placeholder"]),
        (&json!("Ligne de V5"), &json!(false))
    );
    world.run_sync(&["--module", "users"]).await.expect(0);
    let row = world.row_of("users", "usr_twice1").await;
    assert_eq!(row["color"], "#aabbcc");
}
