//! People of an older table, and the records of the same people that a source sends.

use serde_json::{Value, json};
use standin::Options;

use crate::world::{World, pick};

/// Rows of an older table, as a migration leaves them: their own ids, no identities.
pub const OLD: &str = "
insert into prod.clients (id, kind, first_name, last_name, name, email, phone, street, municipality, postal_code, version, is_placeholder) values
  ('old-1', 'person', 'Geneviève', 'Lachapelle', 'Geneviève Lachapelle', 'g.lachapelle@courriel.example', '514 271-8845', '4417, rue des Érables', 'Montréal', 'H2H 2C7', 1, false),
  ('old-2', 'person', 'Marc-André', 'Thivierge', 'Marc-André Thivierge', null, '450 655-0192', '88 boul. de Montarville', 'Boucherville', 'J4B 5H9', 1, false),
  ('old-3', 'person', 'Simon', 'Desrosiers', 'Simon Desrosiers', null, null, null, 'Laval', null, 1, false),
  ('old-4', 'institution', null, null, 'École de musique Saint-Colomban', 'info@emsc.example', '450 438-7710', '310 montée de l''Église', 'Saint-Colomban', 'J5K 1B1', 1, false);
update prod.clients set company_name = name where kind = 'institution'";

/// A client of the source.
pub fn client(id: &str, given: &str, surname: &str, contact: Value) -> Value {
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
pub fn records() -> Vec<Value> {
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

pub async fn world_with(records: Vec<Value>) -> World {
    let options = Options {
        timeline: Some(0),
        ..Options::small()
    };
    let world = World::new(options).await;
    world.sql(OLD).await;
    world.edit(Value::Array(records)).await;
    world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    world
}

/// What is known of the records above that have an entity.
pub async fn everybody(world: &World) -> Vec<Value> {
    let ids = [
        "cli_typo",
        "cli_spouse",
        "cli_doubt",
        "cli_school",
        "cli_other",
    ];
    let mut identities = world.identities_of("clients").await;
    identities.retain(|identity| ids.iter().any(|id| identity["source_id"] == *id));
    for identity in &mut identities {
        identity["is_sure"] = identity["score"].as_f64().map(|score| score > 5.0).into();
        let model = &identity["evidence"]["why"]["model"];
        identity["explained"] = (!model.is_null()).into();
    }
    let fields = ["source_id", "entity_id", "method", "is_sure", "explained"];
    pick(&identities, &fields)
}

/// The entity of a record, and how it came by it.
pub async fn who(world: &World, id: &str) -> (Value, Value) {
    for module in ["clients", "users", "pianos", "subscribers"] {
        let mut identity = world.identity_of(module, id).await;
        if identity.is_object() {
            return (identity["entity_id"].take(), identity["method"].take());
        }
    }
    (Value::Null, Value::Null)
}
