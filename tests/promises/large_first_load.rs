//! The first load of a larger account asks nobody: rows that a run itself made are not rows that it changes.

use serde_json::{Value, json};
use standin::Options;

use crate::world::{ListModule, ListWorld, World};

#[tokio::test]
async fn the_first_load_of_the_shipped_measurements_lands_whatever_the_notes_add() {
    // What matters of a larger account: more measurements than one batch holds, and notes of the same days.
    let options = Options {
        scale: 1.0,
        clients: Some(10),
        pianos: Some(40),
        timeline: Some(5),
        ..Options::default()
    };
    let world = World::new(options).await;
    let pianos = world
        .source
        .every("allPianos", "id allPianoMeasurements { id takenOn }")
        .await;
    let measured = pianos.iter().flat_map(|piano| {
        let all = piano["allPianoMeasurements"]
            .as_array()
            .expect("measurements");
        all.iter()
            .map(|measurement| (&piano["id"], &measurement["takenOn"]))
    });
    let mut days: Vec<(&Value, &Value)> = measured.collect();
    days.sort_by_key(|(piano, day)| (piano.to_string(), day.to_string()));
    days.dedup();
    let notes = days.iter().step_by(days.len() / 60).enumerate().map(|(n, (piano, day))| {
        let id = format!("tme_note{n}");
        json!({ "op": "upsert", "kind": "timeline", "id": id, "value": { "id": id, "type": "SERVICE_ENTRY_MANUAL",
            "occurredAt": format!("{}T15:00:00Z", day.as_str().expect("a day")), "client": null,
            "piano": { "id": piano }, "user": null, "summary": null, "comment": "Humidity 44%" } })
    });
    world.edit(notes.collect()).await;
    let modules = ["users", "clients", "pianos", "timeline", "measurements"];
    let arguments: Vec<&str> = modules
        .iter()
        .flat_map(|module| ["--module", module])
        .collect();
    let answer = world.run_sync(&arguments).await;
    let cause = answer.module("measurements")["cause"].to_string();
    assert!(!cause.contains("approve"), "{cause}");
    answer.expect(0);
    let noted = "select count(*) from prod.identities where module = 'measurements' and source_id like 'tme_note%'";
    assert!(world.count(noted).await >= 60, "the notes are part of it");
    let steady = world.exact().await;
    world.run_sync(&arguments).await.expect(0);
    assert_eq!(world.exact().await, steady);
}

#[tokio::test]
async fn a_first_load_whose_later_records_fill_the_rows_of_its_earlier_ones_asks_nobody() {
    let key =
        "match: { keys: [ { label: email, on: [email], normal: email, within_source: true } ] }";
    let people = ListModule::new("people", &["name text", "email text", "phone text"]).with(key);
    let world = ListWorld::new(&[people]).await;
    let record = |n: usize| {
        let email = format!("p{}@x.example", n % 1_100);
        let phone = (n >= 1_100).then_some("555");
        json!({ "id": format!("{n:04}"), "name": format!("N{}", n % 1_100), "email": email, "phone": phone })
    };
    world.lists.set("people", (0..2_200).map(record).collect());
    world.run().await.expect(0);
    let rows = "select count(*), count(phone) from prod.people where deleted_at is null";
    assert_eq!(world.values(rows).await, json!([[1_100, 1_100]]));
}
