//! A parent made up for its children gives way to the true one, whoever that turns out to be.

use serde_json::{Value, json};

use crate::world::World;

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
        let rows = format!(
            "select coalesce(jsonb_agg(to_jsonb(t) - '{{created_at,updated_at,synced_at,version}}'::text[] order by id), '[]')
             from prod.\"{table}\" t"
        );
        tables.insert(table, world.value(&rows).await);
    }
    tables.into()
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
    let both = "select count(*) from prod.users where is_placeholder and id in ('usr_twice1', 'usr_twice2')";
    assert_eq!(reversed.count(both).await, 2, "both stand as placeholders");
    reversed.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(rows(&reversed).await, rows(&upright).await);
    let technicians = "select jsonb_agg(technician_id order by id) from prod.clients where id in ('cli_of1', 'cli_of2')";
    assert_eq!(
        reversed.value(technicians).await,
        json!(["usr_twice1", "usr_twice1"])
    );
    for who in [
        "select source_id, entity_id, leads, jsonb_strip_nulls(base) from prod.identities where valid_to is null order by module, source_id",
        "select * from prod.match_keys order by entity, label, value, entity_id",
    ] {
        let (left, right) = (reversed.rows(who).await, upright.rows(who).await);
        for (left, right) in left.iter().zip(&right) {
            assert_eq!(left, right);
        }
        assert_eq!(left.len(), right.len());
    }
    let tasks = "select jsonb_agg(source_id order by source_id) from ops.problems where code = 'unknown_parent' and state = 'open'";
    assert_eq!(reversed.value(tasks).await, upright.value(tasks).await);
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
    let before = (
        world.exact().await,
        world.count("select number from history.head").await,
    );
    world.run_sync(&["--module", "users"]).await.expect(0);
    let after = (
        world.exact().await,
        world.count("select number from history.head").await,
    );
    let how = world
        .rows("select method, evidence from prod.identities where source_id = 'usr_twice2' and valid_to is null")
        .await;
    assert_eq!(how[0]["method"], "exact_key");
    assert_eq!(how[0]["evidence"]["placeholder"], "usr_twice2");
    assert_eq!(how[0]["evidence"]["keys"], json!(["email"]));
    let told = world
        .rows("select entity, operation, source_id from history.changes
               where entity_id in ('usr_twice2', 'cli_of2') and source_id = 'usr_twice2' order by entity")
        .await;
    assert_eq!(
        told,
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
            world
                .value("select technician_id from prod.clients where id = 'cli_of2'")
                .await,
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
    let kept = world
        .rows("select name, color from prod.users where id = 'usr_twice1'")
        .await;
    assert_eq!(kept, [json!({ "name": "Line Roy", "color": "#aabbcc" })]);
    let told = world.rows("select detail ->> 'written' as written from ops.problems where code = 'placeholder_said:name' and state = 'open'").await;
    assert_eq!(told, [json!({ "written": "Line, de la part de Marc" })]);
    let moved = "select count(*) from prod.clients where technician_id = 'usr_twice1' and id in ('cli_of1', 'cli_of2')";
    assert_eq!(
        world.count(moved).await,
        2,
        "an edit by hand names the person too"
    );
    let marked = "select deleted_at is not null from prod.users where id = 'usr_twice2'";
    assert_eq!(
        world.value(marked).await,
        true,
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
    let row = "select name || is_placeholder::text from prod.users where id = 'usr_twice1'";
    assert_eq!(world.value(row).await, "Ligne de V5false");
    world.run_sync(&["--module", "users"]).await.expect(0);
    let color = "select color from prod.users where id = 'usr_twice1'";
    assert_eq!(world.value(color).await, "#aabbcc");
}
