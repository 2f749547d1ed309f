//! Records that no exact key decides find their entity by score: rows that stood before Concord came, and other sources.

use serde_json::{Value, json};
use standin::Options;

use crate::world::World;

/// Rows of an older table, as a migration leaves them: their own ids, no identities.
const OLD: &str = "
insert into prod.clients (id, kind, first_name, last_name, name, email, phone, street, municipality, postal_code, version, is_placeholder) values
  ('old-1', 'person', 'Geneviève', 'Lachapelle', 'Geneviève Lachapelle', 'g.lachapelle@courriel.example', '514 271-8845', '4417, rue des Érables', 'Montréal', 'H2H 2C7', 1, false),
  ('old-2', 'person', 'Marc-André', 'Thivierge', 'Marc-André Thivierge', null, '450 655-0192', '88 boul. de Montarville', 'Boucherville', 'J4B 5H9', 1, false),
  ('old-3', 'person', 'Simon', 'Desrosiers', 'Simon Desrosiers', null, null, null, 'Laval', null, 1, false),
  ('old-4', 'institution', null, null, 'École de musique Saint-Colomban', 'info@emsc.example', '450 438-7710', '310 montée de l''Église', 'Saint-Colomban', 'J5K 1B1', 1, false);
update prod.clients set company_name = name where kind = 'institution'";

/// A client of the source.
fn client(id: &str, given: &str, surname: &str, contact: Value) -> Value {
    let part = |name: &str| contact.get(name).cloned().unwrap_or(Value::Null);
    json!({ "op": "upsert", "kind": "client", "id": id, "value": {
        "id": id, "companyName": part("company"), "status": "ACTIVE", "tags": [],
        "defaultContact": {
            "firstName": given, "lastName": surname,
            "defaultEmail": { "email": part("email") }, "defaultPhone": { "phoneNumber": part("phone") },
            "defaultLocation": { "street1": part("street"), "municipality": part("city"), "postalCode": part("code") } },
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

/// The records of the same people, with the slips people make, and of one who shares a household.
fn records() -> Vec<Value> {
    vec![
        client(
            "cli_typo",
            "Genevieve",
            "Lachappelle",
            json!({ "phone": "(514) 271-8845", "street": "4417 des Erables", "city": "Montreal", "code": "H2H2C7" }),
        ),
        client(
            "cli_spouse",
            "Caroline",
            "Thivierge",
            json!({ "phone": "450-655-0192", "street": "88, boulevard de Montarville", "city": "Boucherville", "code": "J4B 5H9" }),
        ),
        client(
            "cli_doubt",
            "Simon",
            "Desrosiers",
            json!({ "city": "Laval" }),
        ),
        client(
            "cli_school",
            "",
            "",
            json!({ "company": "Ecole de musique St-Colomban inc.", "phone": "450-438-7710", "city": "St-Colomban" }),
        ),
        client(
            "cli_other",
            "Bérénice",
            "Quintal",
            json!({ "phone": "418 222-9090", "city": "Québec" }),
        ),
    ]
}

async fn world_with(records: Vec<Value>) -> World {
    let options = Options {
        timeline: Some(0),
        ..Options::small()
    };
    let world = World::new(options).await;
    world.concord(&["migrate"]).await.expect(0);
    world.sql(OLD).await;
    world.edit(Value::Array(records)).await;
    world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    world
}

const WHO: &str = "select source_id, entity_id, method, score > 5 as is_sure, evidence -> 'why' ->> 'model' is not null as explained
                   from prod.identities where source_id like 'cli\\_%' and source_id in
                   ('cli_typo', 'cli_spouse', 'cli_doubt', 'cli_school', 'cli_other') order by source_id";

#[tokio::test]
async fn rows_that_stood_before_are_found_in_spite_of_slips_and_spouses_stay_two() {
    let world = world_with(records()).await;
    let found = world.rows(WHO).await;
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
    let found = world
        .rows(
            "select source_id, code, detail -> 'entities' as entities from ops.problems
               where kind = 'review' and state = 'open' order by source_id",
        )
        .await;
    let waits = |id: &str, entity: &str| json!({ "source_id": id, "code": "match_in_doubt", "entities": [entity] });
    assert_eq!(
        found,
        [waits("cli_doubt", "old-3"), waits("cli_spouse", "old-2")],
        "a namesake of whom little is known, and a spouse, are for a person to decide"
    );
}

#[tokio::test]
async fn ten_runs_equal_one_and_the_order_of_the_source_does_not_matter() {
    let world = world_with(records()).await;
    let (production, who) = (world.production().await, world.rows(WHO).await);
    for _ in 0..9 {
        world.run_sync(&["--module", "clients"]).await.expect(0);
    }
    assert_eq!(world.production().await, production);
    let mut turned = records();
    turned.reverse();
    let other = world_with(turned).await;
    assert_eq!(other.production().await, production);
    assert_eq!(other.rows(WHO).await, who);
}

/// The entity of a record, and how it came by it.
async fn who(world: &World, id: &str) -> (Value, Value) {
    let sql = format!(
        "select coalesce(jsonb_build_array(entity_id, method), 'null') from prod.identities
         where source_id = '{id}' and valid_to is null"
    );
    let found = world.rows(&format!("select ({sql}) as value")).await;
    let found = &found[0]["value"];
    (found[0].clone(), found[1].clone())
}

#[tokio::test]
async fn a_persons_word_is_kept_and_the_next_run_lands_it_so() {
    let world = world_with(records()).await;
    let list = world
        .concord(&["review", "list", "--json"])
        .await
        .expect(0)
        .json();
    let ids: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|waiting| waiting["source_id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2, "{list}");
    let first = format!("clients/{}", ids[0]);
    world.concord(&["review", "later", &first]).await.expect(0);
    let turned = world
        .concord(&["review", "list", "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(turned[1]["source_id"], ids[0], "what is put off comes last");

    let accept = [
        "review",
        "accept",
        "clients/cli_doubt",
        "--reason",
        "He said so.",
        "--actor",
        "nadia",
    ];
    world.concord(&accept).await.expect(0);
    let reject = [
        "review",
        "reject",
        "clients/cli_spouse",
        "--reason",
        "His wife.",
        "--actor",
        "nadia",
    ];
    world.concord(&reject).await.expect(0);
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(
        who(&world, "cli_doubt").await,
        (json!("old-3"), json!("said"))
    );
    assert_eq!(
        who(&world, "cli_spouse").await,
        (json!("cli_spouse"), json!("new"))
    );
    let links = world
        .rows("select source_id, entity_id, is_same, author, reason from prod.links order by source_id")
        .await;
    assert_eq!(
        links,
        [
            json!({ "source_id": "cli_doubt", "entity_id": "old-3", "is_same": true, "author": "nadia", "reason": "He said so." }),
            json!({ "source_id": "cli_spouse", "entity_id": "old-2", "is_same": false, "author": "nadia", "reason": "His wife." }),
        ]
    );
    assert_eq!(
        world
            .count("select count(*) from ops.problems where kind = 'review' and state = 'open'")
            .await,
        0
    );
    let refused = world.concord(&accept).await.expect(2);
    assert!(
        refused.stderr.contains("not in review"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn a_record_taken_out_of_an_entity_is_one_of_its_own_and_stays_so() {
    let world = world_with(Vec::new()).await;
    let before = world
        .value("select to_jsonb(t) from prod.clients t where id = 'old-1'")
        .await;
    world.edit(Value::Array(records())).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(who(&world, "cli_typo").await.0, json!("old-1"));
    let unmerge = [
        "unmerge",
        "clients/cli_typo",
        "--reason",
        "A cousin.",
        "--actor",
        "nadia",
        "--json",
    ];
    let done = world.concord(&unmerge).await.expect(0).json();
    assert_eq!(
        (&done["from"], &done["into"]),
        (&json!("old-1"), &json!("cli_typo"))
    );
    let after = world
        .value("select to_jsonb(t) from prod.clients t where id = 'old-1'")
        .await;
    for column in [
        "name",
        "first_name",
        "last_name",
        "email",
        "phone",
        "street",
        "municipality",
        "postal_code",
        "status",
    ] {
        assert_eq!(
            after[column], before[column],
            "{column} is as it was before the record joined"
        );
    }
    let own = world
        .value("select last_name from prod.clients where id = 'cli_typo'")
        .await;
    assert_eq!(own, "Lachappelle");
    let production = world.production().await;
    world
        .run_sync(&["--module", "clients", "--mode", "full"])
        .await
        .expect(0);
    assert_eq!(
        world.production().await,
        production,
        "the model does not join them again"
    );
    assert_eq!(
        who(&world, "cli_typo").await,
        (json!("cli_typo"), json!("unmerged"))
    );
    world.concord(&["doctor"]).await;
    let kinds = world
        .rows("select distinct kind from history.promotions order by kind")
        .await;
    assert_eq!(kinds.last(), Some(&json!({ "kind": "unmerge" })));
    world.concord(&unmerge).await.expect(2);
}

#[tokio::test]
async fn why_match_explains_every_pair() {
    let world = world_with(records()).await;
    let cases = [
        (
            "joined by score",
            "clients/cli_typo",
            "clients/old-1",
            "match",
            true,
        ),
        (
            "a spouse",
            "clients/cli_spouse",
            "clients/old-2",
            "review",
            true,
        ),
        (
            "brought together by no key",
            "clients/cli_other",
            "clients/old-3",
            "no match",
            false,
        ),
        (
            "two rows",
            "clients/old-1",
            "clients/old-4",
            "no match",
            false,
        ),
    ];
    for (label, one, other, verdict, has_keys) in cases {
        let told = world
            .concord(&["why-match", one, other, "--json"])
            .await
            .expect(0)
            .json();
        assert_eq!(told["verdict"], verdict, "{label}: {told}");
        let explanation = &told["explanation"];
        let keys = explanation["keys"].as_array().expect("keys");
        assert_eq!(!keys.is_empty(), has_keys, "{label}: {told}");
        assert!(
            explanation["steps"].as_array().expect("steps").len() >= 3,
            "{label}: {told}"
        );
    }
    let text = world
        .concord(&["why-match", "clients/cli_typo", "clients/old-1"])
        .await
        .expect(0)
        .stdout;
    assert!(text.contains("is old-1 (scored, "), "{text}");
    assert!(text.contains("given name: same"), "{text}");
    let nobody = world
        .concord(&["why-match", "clients/cli_typo", "clients/none"])
        .await
        .expect(2);
    assert!(
        nobody.stderr.contains("neither a record nor a row"),
        "{}",
        nobody.stderr
    );
}

#[tokio::test]
async fn one_record_is_resolved_as_a_run_would_and_nothing_is_written() {
    let world = world_with(Vec::new()).await;
    let cases = [
        (
            json!({ "email": "INFO@emsc.example" }),
            "exact_key",
            "match",
        ),
        (
            json!({ "first_name": "Genevieve", "last_name": "Lachappelle", "phone": "5142718845", "postal_code": "H2H 2C7" }),
            "score",
            "match",
        ),
        (
            json!({ "first_name": "Simon", "last_name": "Desrosiers", "municipality": "Laval" }),
            "score",
            "review",
        ),
        (
            json!({ "first_name": "Bérénice", "last_name": "Quintal" }),
            "score",
            "no_match",
        ),
    ];
    // Keys are computed by the next run that has something to decide.
    world
        .edit(client("cli_any", "Aurélie", "Bastarache", json!({})))
        .await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let before = world.everything().await;
    for (record, by, decision) in cases {
        std::fs::write(world.folder().join("record.json"), record.to_string()).expect("a file");
        let arguments = [
            "matching",
            "resolve",
            "clients",
            "--record",
            "record.json",
            "--json",
        ];
        let found = world.concord(&arguments).await.expect(0).json();
        assert_eq!(
            (&found["by"], &found["decision"]),
            (&json!(by), &json!(decision)),
            "{record}: {found}"
        );
    }
    assert!(world.everything().await == before, "nothing is written");
}

/// A second source of clients: what the stand-in calls pianos, read as people.
fn second_source(world: &World) {
    let from = world.copy_module("clients");
    let folder = world.folder().join("more/subscribers");
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in ["matching.yaml", "matching.model.json", "contract.yaml"] {
        std::fs::copy(from.join(file), folder.join(file)).expect("a copied file");
    }
    let module = "module: subscribers
source: newsletter
fetch:
  connection: allPianos
  id: .id
  read: full
reconcile:
  transform: map
  map: { name: .make, municipality: .location, phone: .model }
  match: { scored: { by: matching.yaml, model: matching.model.json } }
";
    let query = "query All($first: Int, $after: String) {
  allPianos(first: $first, after: $after) { nodes { id make model location } pageInfo { hasNextPage endCursor } totalCount }
}
";
    std::fs::write(folder.join("module.yaml"), module).expect("a file");
    std::fs::write(folder.join("query.graphql"), query).expect("a file");
    let endpoint = &world.source.running.urls.graphql;
    world.edit_file(&world.folder().join("concord.toml"), |text| {
        format!(
            "{text}\n[sources.newsletter]\nendpoint = \"{endpoint}\"\n\
             auth = {{ kind = \"header\", name = \"x-gazelle-api-key\", secret_env = \"TEST_GAZELLE_KEY\" }}\n"
        )
    });
}

#[tokio::test]
async fn two_sources_of_clients_meet_in_one_entity() {
    let world = world_with(records()).await;
    second_source(&world);
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
async fn a_matching_specification_is_checked_when_it_is_loaded() {
    let world = World::small().await;
    let folder = world.copy_module("clients");
    let cases = [
        (
            "matching.yaml",
            "from: phone }",
            "from: telephone }",
            "matching.yaml:6: the field `phone` comes from the column `telephone`",
        ),
        (
            "matching.yaml",
            "- { key: [phone], most: 60 }",
            "- { key: [phones], most: 60 }",
            "matching.yaml:14",
        ),
        ("matching.yaml", "blocking:", "blockings:", "matching.yaml:"),
        (
            "matching.yaml",
            "level: nickname,",
            "level: pet name,",
            "the model was trained for other comparisons",
        ),
        (
            "matching.model.json",
            "\"version\": 1,",
            "\"version\": one,",
            "matching.model.json:2",
        ),
        (
            "module.yaml",
            "by: matching.yaml",
            "by: matches.yaml",
            "module.yaml:20: `by` names `matches.yaml`",
        ),
    ];
    for (file, right, wrong, said) in cases {
        let place = folder.join(file);
        let whole = std::fs::read_to_string(&place).expect("a file");
        assert!(whole.contains(right), "{file} holds {right}");
        std::fs::write(&place, whole.replacen(right, wrong, 1)).expect("a file");
        let answer = world
            .concord(&[
                "why-match",
                "clients/a",
                "clients/b",
                "--modules",
                "modules",
            ])
            .await
            .expect(2);
        assert!(answer.stderr.contains(said), "{file}: {}", answer.stderr);
        std::fs::write(&place, whole).expect("a file");
    }
}
