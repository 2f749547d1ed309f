//! After a rollback, records find rows by the values that returned, and not by those that went.

use std::fs;

use serde_json::json;

use crate::world::World;

/// A second source of people: what the stand-in calls pianos, with the make for an e-mail address.
fn staff(world: &World) {
    let folder = world.folder().join("more/staff");
    fs::create_dir_all(&folder).expect("a folder");
    let files = [
        (
            "module.yaml",
            "module: staff
source: payroll
fetch:
  connection: allPianos
  id: .id
  read: full
reconcile:
  transform: map
  map: { name: .model, email: .make }
  match: { keys: [{ label: email, on: [email], normal: email }] }
",
        ),
        (
            "query.graphql",
            "query All($first: Int, $after: String) {
  allPianos(first: $first, after: $after) { nodes { id make model } pageInfo { hasNextPage endCursor } totalCount }
}
",
        ),
        (
            "contract.yaml",
            "apiVersion: v3.1.0
kind: DataContract
id: urn:test:staff
name: staff
version: \"1.0.0\"
status: active
schema:
  - name: users
    physicalType: table
    description: People.
    properties:
      - { name: id, logicalType: string, physicalType: text, primaryKey: true, required: true, description: The id. }
      - { name: name, logicalType: string, physicalType: text, description: A name. }
      - { name: email, logicalType: string, physicalType: text, description: An address. }
",
        ),
    ];
    for (file, text) in files {
        fs::write(folder.join(file), text).expect("a file");
    }
    let endpoint = &world.source.running.urls.graphql;
    world.edit_file(&world.folder().join("concord.toml"), |text| {
        format!(
            "{text}\n[sources.payroll]\nendpoint = \"{endpoint}\"\n\
             auth = {{ kind = \"header\", name = \"x-gazelle-api-key\", secret_env = \"TEST_GAZELLE_KEY\" }}\n"
        )
    });
}

async fn head(world: &World) -> String {
    world.head().await.to_string()
}

async fn return_to(world: &World, number: &str) {
    let arguments = [
        "rollback",
        number,
        "--reason",
        "A test returns.",
        "--yes",
        "--modules",
        "more",
    ];
    world.concord(&arguments).await.expect(0);
}

#[tokio::test]
async fn a_returned_address_is_matched_again_and_the_one_that_went_is_not() {
    let world = World::small().await;
    staff(&world);
    let user = |email: &str| {
        json!({ "op": "upsert", "kind": "user", "id": "usr_moves", "value": {
            "id": "usr_moves", "firstName": "Line", "lastName": "Roy", "fullName": "Line Roy", "email": email,
            "status": "ACTIVE", "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    world.edit(user("before@atelier.example")).await;
    world.run_sync(&["--module", "users"]).await.expect(0);
    let first = head(&world).await;
    world.edit(user("after@atelier.example")).await;
    world.run_sync(&["--module", "users"]).await.expect(0);
    return_to(&world, &first).await;
    let piano = |id: &str, email: &str| {
        json!({ "op": "upsert", "kind": "piano", "id": id, "value": { "id": id, "make": email, "model": id,
                "status": "ACTIVE", "type": "GRAND", "tags": [],
                "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    world
        .edit(json!([
            piano("ins_before", "before@atelier.example"),
            piano("ins_after", "after@atelier.example"),
        ]))
        .await;
    world
        .run_sync(&["--module", "staff", "--modules", "more"])
        .await
        .expect(0);
    for (id, entity) in [("ins_after", "ins_after"), ("ins_before", "usr_moves")] {
        let identity = world.identity_of("staff", id).await;
        assert_eq!(identity["entity_id"], entity, "{id}");
    }
}

#[tokio::test]
async fn rows_that_return_have_the_keys_they_had() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let last = head(&world).await;
    let by_label =
        "select label, count(*) as keys from prod.match_keys group by label order by label";
    let blocked = world.blocking_keys().await;
    assert!(!blocked.is_empty(), "rows have blocking keys");
    let (keys, labels) = (world.match_keys().await, world.rows(by_label).await);
    assert!(labels.len() >= 4, "{labels:?}");
    fs::create_dir_all(world.folder().join("more")).expect("a folder");
    return_to(&world, "0").await;
    assert!(world.match_keys().await.is_empty(), "no row, no key");
    assert!(world.blocking_keys().await.is_empty(), "no row, no block");
    return_to(&world, &last).await;
    assert_eq!(world.rows(by_label).await, labels);
    assert!(world.match_keys().await == keys, "every key is as it was");
    assert!(
        world.blocking_keys().await == blocked,
        "every block is as it was"
    );
}
