//! Which entity records land in.

use serde_json::json;

use super::people::{client, everybody, records, who, world_with};
use crate::world::{World, pick};

#[tokio::test]
async fn rows_that_stood_before_are_found_in_spite_of_slips_and_spouses_stay_two() {
    let world = world_with(records()).await;
    let found = everybody(&world).await;
    let scored = |id: &str, entity: &str| json!({ "source_id": id, "entity_id": entity, "method": "scored", "is_sure": true, "explained": true });
    let new = |id: &str| json!({ "source_id": id, "entity_id": id, "method": "new", "is_sure": null, "explained": false });
    assert_eq!(
        found,
        [
            new("cli_other"),
            scored("cli_school", "old-4"),
            scored("cli_typo", "old-1"),
        ]
    );
    let mut found = world.open_problems("review").await;
    for problem in &mut found {
        problem["entities"] = problem["detail"]["entities"].take();
    }
    let found = pick(&found, &["source_id", "code", "entities"]);
    let waits = |id: &str, entity: &str| json!({ "source_id": id, "code": "match_in_doubt", "entities": [entity] });
    assert_eq!(
        found,
        [waits("cli_doubt", "old-3"), waits("cli_spouse", "old-2")],
        "a namesake of whom little is known, and a spouse, are for a person to decide"
    );
}

/// A backup brings the mark of what was seen into a server that counts its transactions anew.
#[tokio::test]
async fn rows_are_found_in_a_database_restored_into_another_server() {
    let world = world_with(vec![]).await;
    world
        .sql("update prod.blocking_seen set seen = ((pg_current_xact_id()::text::bigint + 1000000) % 4294967296)::text::xid;
              insert into prod.clients (id, kind, name, email, version, is_placeholder)
              values ('old-5', 'person', 'Odile Quintal', 'odile@quintal.example', 1, false)")
        .await;
    let record = client(
        "cli_later",
        "Odile",
        "Quintal",
        json!({ "email": "odile@quintal.example" }),
    );
    world.edit(json!([record])).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(who(&world, "cli_later").await.0, "old-5");
}

#[tokio::test]
async fn ten_runs_equal_one_and_the_order_of_the_source_does_not_matter() {
    let world = world_with(records()).await;
    let (production, who) = (world.production().await, everybody(&world).await);
    for _ in 0..9 {
        world.run_sync(&["--module", "clients"]).await.expect(0);
    }
    assert_eq!(world.production().await, production);
    let mut turned = records();
    turned.reverse();
    let other = world_with(turned).await;
    assert_eq!(other.production().await, production);
    assert_eq!(everybody(&other).await, who);
}

/// A second source of clients: what the stand-in calls pianos, read as people. `survivorship` is a line of
/// its module, or none.
pub fn second_source(world: &World, survivorship: &str) {
    let from = world.copy_module("clients");
    let folder = world.folder().join("more/subscribers");
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["matching.yaml", "matching.model.json", "contract.yaml"] {
        std::fs::copy(from.join(file), folder.join(file)).expect("a copied file");
    }
    let module = format!(
        "module: subscribers
source: newsletter
fetch:
  connection: allPianos
  id: .id
  read: full
reconcile:
  transform: map
  map: {{ name: .make, municipality: .location, phone: .model, source_updated_at: .updatedAt }}
  {survivorship}
  match: {{ scored: {{ by: matching.yaml, model: matching.model.json }} }}
"
    );
    let query = "query All($first: Int, $after: String) {
  allPianos(first: $first, after: $after) { nodes { id make model location updatedAt } pageInfo { hasNextPage endCursor } totalCount }
}
";
    std::fs::write(folder.join("module.yaml"), module).expect("a file");
    std::fs::write(folder.join("query.graphql"), query).expect("a file");
    let endpoint = &world.source.running.urls.graphql;
    world.edit_file(&world.folder().join("concord.toml"), |text| {
        if text.contains("[sources.newsletter]") {
            return text.to_owned();
        }
        format!(
            "{text}\n[sources.newsletter]\nendpoint = \"{endpoint}\"\n\
             auth = {{ kind = \"header\", name = \"x-gazelle-api-key\", secret_env = \"TEST_GAZELLE_KEY\" }}\n"
        )
    });
}

#[tokio::test]
async fn two_sources_of_clients_meet_in_one_entity() {
    let world = world_with(records()).await;
    second_source(&world, "");
    let piano = |id: &str, name: &str, phone: &str, city: &str| {
        json!({ "op": "upsert", "kind": "piano", "id": id, "value": { "id": id, "make": name, "model": phone,
                "location": city, "status": "ACTIVE", "type": "GRAND", "tags": [],
                "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
    };
    world
        .edit(json!([
            piano("ins_same", "Quintal, Berenice", "+1 418 222 9090", "Quebec"),
            piano("ins_else", "Zacharie Ouimet", "+1 819 555 0101", "Gatineau"),
        ]))
        .await;
    let run = ["--module", "subscribers", "--modules", "more"];
    world.run_sync(&run).await.expect(0);
    assert_eq!(
        who(&world, "ins_same").await,
        (json!("cli_other"), json!("scored"))
    );
    assert_eq!(
        who(&world, "ins_else").await,
        (json!("ins_else"), json!("new"))
    );
    let production = world.production().await;
    world.run_sync(&run).await.expect(0);
    assert_eq!(world.production().await, production);
}

#[tokio::test]
async fn a_row_edited_by_hand_is_found_by_what_it_says_now() {
    let world = world_with(Vec::new()).await;
    let rename = "update prod.clients set first_name = 'Maëlle', last_name = 'Vaugeois', name = 'Maëlle Vaugeois', phone = '819 333-2121'
                  where id = 'old-2'";
    world.sql(rename).await;
    let record = client(
        "cli_renamed",
        "Maelle",
        "Vaugois",
        json!({ "phone": "8193332121", "city": "Boucherville" }),
    );
    world.edit(record).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(
        who(&world, "cli_renamed").await,
        (json!("old-2"), json!("scored"))
    );
}

#[tokio::test]
async fn two_records_that_want_one_row_are_both_for_a_person() {
    let twins = |ids: [&str; 2]| {
        let contact = json!({ "phone": "514 271-8845", "street": "4417, rue des Érables", "city": "Montréal", "code": "H2H 2C7" });
        ids.map(|id| client(id, "Geneviève", "Lachappelle", contact.clone()))
    };
    for ids in [["cli_a", "cli_b"], ["cli_b", "cli_a"]] {
        let world = world_with(twins(ids).to_vec()).await;
        for _ in 0..2 {
            let waits = world
                .rows("select source_id, detail -> 'candidates' -> 0 ->> 'reason' as reason from ops.problems
                       where kind = 'review' and state = 'open' and source_id like 'cli\\__' order by source_id")
                .await;
            let because = |id: &str| json!({ "source_id": id, "reason": "margin" });
            assert_eq!(waits, [because("cli_a"), because("cli_b")]);
            world.run_sync(&["--module", "clients"]).await.expect(0);
        }
    }
}
