//! Users and pianos that stood in production before Concord came.

use serde_json::{Value, json};
use standin::Options;

use super::people::{client, who};
use crate::world::{World, pick};

/// Rows as a migration from older tables leaves them: their own ids, no identities.
const OLD: &str = "
insert into prod.users (id, name, first_name, last_name, email, version, is_placeholder) values
  ('old-u1', 'Mathieu Charlebois', 'Mathieu', 'Charlebois', 'mcharlebois@atelier.example', 1, false),
  ('old-u2', 'Josée Vadeboncoeur', 'Josée', 'Vadeboncoeur', 'josee.vadeboncoeur@atelier.example', 1, false),
  ('old-u3', 'Sylvie Roy', 'Sylvie', 'Roy', null, 1, false);
insert into prod.clients (id, kind, first_name, last_name, name, email, version, is_placeholder) values
  ('old-c1', 'person', 'Fernande', 'Outaouais', 'Fernande Outaouais', 'fernande@courriel.example', 1, false);
insert into prod.pianos (id, client_id, make, model, serial_number, year, type, version, is_placeholder) values
  ('old-p1', 'old-c1', 'Heintzman', 'D', '81234', 1927, 'UPRIGHT', 1, false),
  ('old-p2', 'old-c1', 'Yamaha', 'U1', 'H2514783', 1977, 'UPRIGHT', 1, false),
  ('old-p3', 'old-c1', 'Yamaha', 'C3', 'H2514790', 1977, 'GRAND', 1, false)";

fn user(id: &str, given: &str, surname: &str, email: Value) -> Value {
    json!({ "op": "upsert", "kind": "user", "id": id, "value": {
        "id": id, "firstName": given, "lastName": surname, "fullName": format!("{given} {surname}"),
        "email": email, "status": "ACTIVE", "accessLevel": "TECHNICIAN", "isSchedulable": true } })
}

fn piano(id: &str, make: &str, model: Value, serial: Value, year: Value, kind: &str) -> Value {
    json!({ "op": "upsert", "kind": "piano", "id": id, "value": {
        "id": id, "client": { "id": "cli_owner" }, "make": make, "model": model, "serialNumber": serial,
        "year": year, "type": kind, "status": "ACTIVE", "tags": [],
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

async fn world_with(records: Vec<Value>) -> World {
    let options = Options {
        timeline: Some(0),
        ..Options::small()
    };
    let world = World::new(options).await;
    world.sql(OLD).await;
    let owner = json!({ "email": "fernande@courriel.example" });
    world
        .edit(client("cli_owner", "Fernande", "Outaouais", owner))
        .await;
    world.edit(Value::Array(records)).await;
    let modules = ["users", "clients", "pianos"].map(|name| ["--module", name]);
    world.run_sync(&modules.concat()).await.expect(0);
    world
}

/// Label, the record's id, the entity it becomes, and how.
type Case = (&'static str, &'static str, &'static str, &'static str);

async fn check(world: &World, cases: &[Case]) {
    for (label, id, entity, method) in cases {
        let found = who(world, id).await;
        assert_eq!(found, (json!(entity), json!(method)), "{label}");
    }
}

#[tokio::test]
async fn users_that_stood_before_are_found() {
    let world = world_with(vec![
        user(
            "usr_mail",
            "Mathieu",
            "Charlebois",
            json!("MCharlebois@atelier.example"),
        ),
        user(
            "usr_typo",
            "Josee",
            "Vadeboncœur",
            json!("josee.vadeboncoeur@atelier.example "),
        ),
        user(
            "usr_kin",
            "Luc",
            "Charlebois",
            json!("lcharlebois@atelier.example"),
        ),
        user(
            "usr_other",
            "Anouk",
            "Desormeaux",
            json!("anouk@atelier.example"),
        ),
    ])
    .await;
    check(
        &world,
        &[
            ("the same address", "usr_mail", "old-u1", "exact_key"),
            ("accents and blanks", "usr_typo", "old-u2", "exact_key"),
            ("another of the same surname", "usr_kin", "usr_kin", "new"),
            ("somebody else", "usr_other", "usr_other", "new"),
        ],
    )
    .await;
    let production = world.production().await;
    world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(world.production().await, production);
}

#[tokio::test]
async fn users_without_the_same_address_are_found_by_score() {
    let world = world_with(vec![
        user(
            "usr_slip",
            "Josée",
            "Vadeboncoeur",
            json!("josee.vadeboncoer@atelier.example"),
        ),
        user("usr_alone", "Sylvie", "Roy", Value::Null),
        user(
            "usr_elsewhere",
            "Sylvie",
            "Roy",
            json!("sroy@ailleurs.example"),
        ),
        user("usr_given", "Sylvie", "Desormeaux", Value::Null),
        user("usr_surname", "Martin", "Roy", Value::Null),
    ])
    .await;
    check(
        &world,
        &[
            ("one letter of the address", "usr_slip", "old-u2", "scored"),
            ("a given name alone", "usr_given", "usr_given", "new"),
            ("a surname alone", "usr_surname", "usr_surname", "new"),
        ],
    )
    .await;
    // A frequent name alone says too little to join two, and too much to part them unasked.
    let asked = world.open_problems_of("users", "review").await;
    assert_eq!(
        pick(&asked, &["source_id"]),
        [
            json!({ "source_id": "usr_alone" }),
            json!({ "source_id": "usr_elsewhere" })
        ]
    );
    let accept = [
        "review",
        "accept",
        "users/usr_alone",
        "--reason",
        "she has left the old table",
    ];
    world.concord(&accept).await.expect(0);
    world.run_sync(&["--module", "users"]).await.expect(0);
    assert_eq!(who(&world, "usr_alone").await.0, json!("old-u3"));
}

#[tokio::test]
async fn pianos_that_stood_before_are_found_and_neighbours_stay_two() {
    let world = world_with(vec![
        piano(
            "ins_key",
            "HEINTZMAN",
            json!("D"),
            json!("81 234"),
            json!(1927),
            "UPRIGHT",
        ),
        piano(
            "ins_slip",
            "Yamaha",
            json!("U-1"),
            json!("H2514738"),
            json!(1977),
            "UPRIGHT",
        ),
        piano(
            "ins_next",
            "Yamaha",
            json!("C3"),
            json!("H2514791"),
            json!(1990),
            "GRAND",
        ),
        piano(
            "ins_new",
            "Bösendorfer",
            json!("225"),
            json!("44021"),
            json!(2001),
            "GRAND",
        ),
    ])
    .await;
    check(
        &world,
        &[
            ("the same serial number", "ins_key", "old-p1", "exact_key"),
            ("two digits turned round", "ins_slip", "old-p2", "scored"),
            ("another instrument", "ins_new", "ins_new", "new"),
        ],
    )
    .await;
    let next = who(&world, "ins_next").await;
    assert_ne!(
        next.0,
        json!("old-p3"),
        "the next number of another year is another piano"
    );
    let production = world.production().await;
    world.run_sync(&["--module", "pianos"]).await.expect(0);
    assert_eq!(world.production().await, production);
}
