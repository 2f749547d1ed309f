//! Children before parents, unknown parents, circles: no error, nothing lost, all linked once the parent
//! comes.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::world::{World, pick, texts};

/// References that hold an id no parent row has.
const DANGLING: &str = "select (select count(*) from prod.pianos c where client_id is not null
        and not exists (select from prod.clients p where p.id = c.client_id))
    + (select count(*) from prod.timeline_entries c where client_id is not null
        and not exists (select from prod.clients p where p.id = c.client_id))
    + (select count(*) from prod.timeline_entries c where piano_id is not null
        and not exists (select from prod.pianos p where p.id = c.piano_id))
    + (select count(*) from prod.measurements c where not exists (select from prod.pianos p where p.id = c.piano_id))
    + (select count(*) from prod.timeline_entries c where user_id is not null
        and not exists (select from prod.users p where p.id = c.user_id))
    + (select count(*) from prod.appointments c where user_id is not null
        and not exists (select from prod.users p where p.id = c.user_id))";

#[tokio::test]
async fn children_that_come_before_their_parents_wait_and_are_linked() {
    let (upright, reversed) = (World::small().await, World::small().await);
    upright.run_sync(&["--all"]).await.expect(0);
    reversed.run_sync(&["--module", "users"]).await.expect(0);
    for module in ["measurements", "timeline", "appointments", "pianos"] {
        let answer = reversed.run_sync(&["--module", module]).await.expect(0);
        let line = answer.module(module);
        assert_eq!(line["state"], "OK_Q", "{module}: {line}");
        assert!(
            line["claims"]["parked"].as_i64() > Some(0),
            "{module}: {line}"
        );
    }
    for parked in reversed.open_problems("parking").await {
        assert!(
            parked["waits_id"].is_string(),
            "it says for whom it waits, by the id as received: {parked}"
        );
    }
    reversed.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(reversed.count(DANGLING).await, 0);
    for table in [
        "users",
        "clients",
        "pianos",
        "appointments",
        "timeline_entries",
    ] {
        assert_eq!(
            reversed.values_of(table).await,
            upright.values_of(table).await,
            "{table} in either order"
        );
    }
    let readings = "select jsonb_agg(jsonb_build_array(piano_id, taken_on, humidity, temperature) order by piano_id, taken_on) from prod.measurements";
    assert_eq!(
        reversed.value(readings).await,
        upright.value(readings).await
    );
    for kind in ["parking", "quarantine"] {
        let open = async |world: &World| {
            let problems = world.open_problems(kind).await;
            pick(&problems, &["module", "source_id", "code"])
        };
        assert_eq!(
            open(&reversed).await,
            open(&upright).await,
            "the same records still wait"
        );
    }
}

#[tokio::test]
async fn users_that_come_last_replace_their_placeholders() {
    let world = World::small().await;
    for module in ["clients", "pianos", "appointments", "timeline"] {
        world.run_sync(&["--module", module]).await.expect(0);
    }
    let listed = world.source.ask("{ allUsers { id } }").await;
    let ids: Vec<&str> = listed["allUsers"]
        .as_array()
        .expect("users")
        .iter()
        .filter_map(|user| user["id"].as_str())
        .collect();
    let made_up = async || {
        let mut placeholders = world.placeholders_of("users").await;
        placeholders.retain(|id| ids.contains(&id.as_str()));
        placeholders.len()
    };
    assert!(made_up().await > 0, "they were made up for their children");
    world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(made_up().await, 0, "the true ones stand in their places");
    let tasks = world.open_problems_with("unknown_parent").await;
    assert_eq!(
        tasks.len(),
        world.placeholders_of("users").await.len(),
        "only who is still unknown is a task"
    );
    assert_eq!(world.count(DANGLING).await, 0);
}

#[tokio::test]
async fn a_parent_that_arrives_later_takes_its_children() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let mut parked = world.open_problems("parking").await;
    parked.retain(|problem| problem["waits_module"] == "clients");
    let orphans: BTreeSet<String> = texts(&parked, "waits_id").into_iter().collect();
    let unknown = world.placeholders_of("users").await;
    assert!(!orphans.is_empty() && !unknown.is_empty());
    let mut edits = Vec::new();
    for id in &orphans {
        edits.push(
            json!({ "op": "upsert", "kind": "client", "id": id, "value": {
            "id": id, "companyName": "Enfin là", "status": "ACTIVE", "tags": [],
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } }),
        );
    }
    for id in &unknown {
        edits.push(json!({ "op": "upsert", "kind": "user", "id": id, "value": {
            "id": id, "firstName": "Vraie", "lastName": id, "fullName": format!("Vraie {id}"), "status": "ACTIVE",
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } }));
    }
    world.edit(json!(edits)).await;
    world.run_sync(&["--all"]).await.expect(0);
    let waiting = world.open_problems("parking").await;
    assert!(waiting.is_empty(), "nobody waits any more: {waiting:?}");
    let unknown = world.placeholders_of("users").await;
    assert!(unknown.is_empty(), "the true ones took their places");
    let tasks = world.open_problems_with("unknown_parent").await;
    assert!(tasks.is_empty(), "and the operator need not look for them");
    assert_eq!(world.count(DANGLING).await, 0);
    let linked = format!(
        "select count(*) from prod.pianos where client_id = '{}'",
        orphans.first().expect("an orphan")
    );
    assert!(world.count(&linked).await > 0, "the piano has its owner");
}

#[tokio::test]
async fn a_parent_that_is_deleted_breaks_nothing() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let parent = world.rows("select client_id as id from prod.pianos where client_id is not null order by id limit 1").await;
    let id = parent[0]["id"].as_str().expect("an id");
    world
        .edit(json!({ "op": "delete", "kind": "client", "id": id }))
        .await;
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    assert!(world.row_of("clients", id).await["deleted_at"].is_string());
    let children =
        format!("select count(*) from prod.pianos where client_id = '{id}' and deleted_at is null");
    assert!(world.count(&children).await > 0, "its piano still names it");
    assert_eq!(world.count(DANGLING).await, 0);
}

/// Writes a module folder that reads `connection` and refers to others through two free fields.
fn module(
    world: &World,
    name: &str,
    connection: &str,
    name_field: &str,
    references: &[(&str, &str, &str)],
) {
    let folder = world.folder().join("circles").join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let (mut map, mut declared, mut columns) = (String::new(), String::new(), String::new());
    let mut fields = format!("id {name_field} ");
    for (column, field, to) in references {
        map.push_str(&format!("    {column}: .{field}\n"));
        declared.push_str(&format!("    {column}: {{ to: {to}, missing: park }}\n"));
        columns.push_str(&format!("      - {{ name: {column}, logicalType: string, physicalType: text, description: Another. }}\n"));
        fields.push_str(&format!("{field} "));
    }
    let yaml = format!(
        "module: {name}\nsource: gazelle\nfetch:\n  connection: {connection}\n  id: .id\n  read: full\n\
         reconcile:\n  transform: map\n  map:\n    name: .{name_field}\n{map}  references:\n{declared}"
    );
    let query = format!(
        "query All($first: Int, $after: String) {{ {connection}(first: $first, after: $after) {{ nodes {{ {fields}}} pageInfo {{ hasNextPage endCursor }} totalCount }} }}"
    );
    let contract = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: urn:test:{name}\nname: {name}\nversion: \"1.0.0\"\nstatus: active\n\
         schema:\n  - name: {name}\n    physicalType: table\n    description: A circle.\n    properties:\n\
         \x20     - {{ name: id, logicalType: string, physicalType: text, primaryKey: true, required: true, description: The id. }}\n\
         \x20     - {{ name: name, logicalType: string, physicalType: text, description: A name. }}\n{columns}"
    );
    for (file, text) in [
        ("module.yaml", yaml),
        ("query.graphql", query),
        ("contract.yaml", contract),
    ] {
        fs::write(folder.join(file), text).expect("a file");
    }
}

fn hen(id: &str, egg: Option<&str>, mother: Option<&str>) -> Value {
    json!({ "op": "upsert", "kind": "client", "id": id, "value": { "id": id, "companyName": id, "status": "ACTIVE",
            "tags": [], "referenceId": egg, "referredBy": mother,
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

fn egg(id: &str, hen: &str) -> Value {
    json!({ "op": "upsert", "kind": "piano", "id": id, "value": { "id": id, "make": id, "status": "ACTIVE",
            "type": "GRAND", "tags": [], "referenceId": hen,
            "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

/// Takes out of the account what the two fields hold already.
async fn clear_references(world: &World) {
    let before = world
        .source
        .every("allClients", "id referenceId referredBy")
        .await;
    let cleared: Value = before
        .iter()
        .map(|client| json!({ "op": "patch", "kind": "client", "id": client["id"], "value": { "referenceId": null, "referredBy": null } }))
        .collect();
    world.edit(cleared).await;
    let pianos = world.source.every("allPianos", "id").await;
    let cleared: Value = pianos
        .iter()
        .map(|piano| json!({ "op": "patch", "kind": "piano", "id": piano["id"], "value": { "referenceId": null } }))
        .collect();
    world.edit(cleared).await;
}

/// Two modules that refer to each other, one of them to itself as well.
fn hens_and_eggs(world: &World) {
    module(
        world,
        "hens",
        "allClients",
        "companyName",
        &[
            ("egg_id", "referenceId", "eggs"),
            ("mother_id", "referredBy", "hens"),
        ],
    );
    module(
        world,
        "eggs",
        "allPianos",
        "make",
        &[("hen_id", "referenceId", "hens")],
    );
}

#[tokio::test]
async fn circles_and_self_references_land_whole() {
    let world = World::small().await;
    hens_and_eggs(&world);
    clear_references(&world).await;
    world
        .edit(json!([
            // Two modules that name each other; three hens in a ring; one that names itself; one that waits.
            hen("cli_a", Some("ins_a"), None),
            egg("ins_a", "cli_a"),
            hen("cli_r1", None, Some("cli_r2")),
            hen("cli_r2", None, Some("cli_r3")),
            hen("cli_r3", None, Some("cli_r1")),
            hen("cli_self", None, Some("cli_self")),
            hen("cli_long", Some("ins_b"), Some("cli_a")),
            egg("ins_b", "cli_mid"),
            hen("cli_mid", None, Some("cli_long")),
            hen("cli_waits", Some("ins_late"), None),
        ]))
        .await;
    let arguments = [
        "--module",
        "hens",
        "--module",
        "eggs",
        "--modules",
        "circles",
    ];
    world.run_sync(&arguments).await.expect(0);
    world.run_sync(&arguments).await.expect(0);
    let hens = world.rows("select id, egg_id, mother_id from prod.hens where id similar to 'cli_(a|r_|self|long|mid|waits)' order by id").await;
    let found: Vec<[&Value; 3]> = hens
        .iter()
        .map(|hen| [&hen["id"], &hen["egg_id"], &hen["mother_id"]])
        .collect();
    let expected = json!([
        ["cli_a", "ins_a", null],
        ["cli_long", "ins_b", "cli_a"],
        ["cli_mid", null, "cli_long"],
        ["cli_r1", null, "cli_r2"],
        ["cli_r2", null, "cli_r3"],
        ["cli_r3", null, "cli_r1"],
        ["cli_self", null, "cli_self"],
    ]);
    assert_eq!(json!(found), expected);
    let eggs = world
        .rows("select id, hen_id from prod.eggs where hen_id is not null order by id")
        .await;
    assert_eq!(
        json!(eggs),
        json!([{ "id": "ins_a", "hen_id": "cli_a" }, { "id": "ins_b", "hen_id": "cli_mid" }])
    );
    let waiting = world.open_problems("parking").await;
    assert_eq!(
        pick(&waiting, &["source_id", "waits_id"]),
        [json!({ "source_id": "cli_waits", "waits_id": "ins_late" })],
        "only the one whose parent never came"
    );

    world.edit(egg("ins_late", "cli_waits")).await;
    world.run_sync(&arguments).await.expect(0);
    assert_eq!(
        world.row_of("hens", "cli_waits").await["egg_id"],
        "ins_late",
        "and it lands when the parent does"
    );
    let steady = world.exact().await;
    world.run_sync(&arguments).await.expect(0);
    assert_eq!(world.exact().await, steady);
}

#[tokio::test]
async fn what_is_set_aside_is_told_in_all_and_of_the_run() {
    let world = World::small().await;
    let line = world.run_sync(&["--all"]).await.expect(0).module("pianos");
    let cause = line["cause"].as_str().expect("a cause");
    assert!(
        cause.ends_with("parked (`concord parking list`)."),
        "all that is set aside is this run's: {cause}"
    );
    let parked = world.open_problems_of("pianos", "parking").await.len();
    assert!(parked > 0, "pianos wait for their owners");
    world
        .sql("insert into ops.problems (kind, module, source_id, code, why) values ('quarantine', 'pianos', 'ins_odd', 'odd', 'It is odd.')")
        .await;
    let line = world
        .run_sync(&["--module", "pianos"])
        .await
        .expect(0)
        .module("pianos");
    let cause = line["cause"].as_str().expect("a cause");
    let begins = format!(
        "1 quarantined (`concord quarantine list`), {parked} parked (`concord parking list`). Of"
    );
    assert!(cause.starts_with(&begins), "{cause}");
    let ends = format!("Of this run's records, 0 were quarantined, {parked} parked");
    assert!(cause.contains(&ends), "{cause}");
}
