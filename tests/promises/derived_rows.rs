//! A row that was read out of another module's record lives and dies with what that record says.

use serde_json::{Value, json};
use standin::Options;

use crate::world::World;

/// An account with a piano of its own, beside which the API measured nothing yet.
async fn account() -> World {
    let options = Options {
        timeline: Some(5),
        ..Options::small()
    };
    let world = World::new(options).await;
    let piano = json!({ "id": "ins_note", "make": "X", "model": "Y", "status": "ACTIVE", "type": "GRAND", "tags": [],
        "client": null, "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" });
    world
        .edit(json!({ "op": "upsert", "kind": "piano", "id": "ins_note", "value": piano }))
        .await;
    world
}

/// A service note beside that piano.
fn note(id: &str, day: &str, comment: &str) -> Value {
    json!({ "op": "upsert", "kind": "timeline", "id": id, "value": { "id": id, "type": "SERVICE_ENTRY_MANUAL",
        "occurredAt": format!("{day}T15:00:00Z"), "client": null, "piano": { "id": "ins_note" }, "user": null,
        "invoice": null, "estimate": null, "appointment": null, "summary": null, "comment": comment,
        "duration": null, "relatedId": null, "relatedType": null } })
}

fn patch(id: &str, value: Value) -> Value {
    json!({ "op": "patch", "kind": "timeline", "id": id, "value": value })
}

async fn edited(world: &World, edits: Value) {
    world.edit(edits).await;
    world.run_sync(&["--all"]).await.expect(0);
}

/// The live measurements beside the piano: day, humidity, temperature.
async fn measured(world: &World) -> Value {
    let rows = "select coalesce(jsonb_agg(jsonb_build_array(taken_on, humidity::integer, temperature::integer) order by taken_on), '[]')
        from prod.measurements where piano_id = 'ins_note' and deleted_at is null";
    world.value(rows).await
}

const CONFLICTS: &str =
    "select count(*) from ops.problems where kind = 'conflict' and state = 'open'";

/// One note with a reading, loaded.
async fn noted() -> World {
    let world = account().await;
    edited(&world, note("tme_a", "2026-05-20", "Humidity 44%")).await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 44, null]]));
    world
}

#[tokio::test]
async fn a_reading_of_a_note_that_was_deleted_goes() {
    let world = noted().await;
    world
        .edit(json!({ "op": "delete", "kind": "timeline", "id": "tme_a" }))
        .await;
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    world.run_sync(&["--all"]).await.expect(0);
    let note = "select deleted_at is not null from prod.timeline_entries where id = 'tme_a'";
    assert_eq!(world.value(note).await, true, "the note itself is gone");
    assert_eq!(measured(&world).await, json!([]));
}

#[tokio::test]
async fn a_reading_of_a_note_of_another_type_goes_and_returns() {
    let world = noted().await;
    let row = "select id from prod.measurements where piano_id = 'ins_note'";
    let id = world.value(row).await;
    edited(&world, patch("tme_a", json!({ "type": "USER_COMMENT" }))).await;
    assert_eq!(measured(&world).await, json!([]));
    edited(
        &world,
        patch("tme_a", json!({ "type": "SERVICE_ENTRY_AUTOMATED" })),
    )
    .await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 44, null]]));
    assert_eq!(world.value(row).await, id, "in the row it had");
}

#[tokio::test]
async fn a_reading_that_a_note_holds_no_more_goes() {
    for comment in [json!("Nothing was measured."), json!(""), json!(null)] {
        let world = noted().await;
        edited(&world, patch("tme_a", json!({ "comment": comment }))).await;
        assert_eq!(measured(&world).await, json!([]), "{comment}");
    }
}

#[tokio::test]
async fn a_corrected_note_corrects_its_reading() {
    let world = noted().await;
    edited(&world, patch("tme_a", json!({ "comment": "Humidity 41%" }))).await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 41, null]]));
    edited(
        &world,
        patch("tme_a", json!({ "occurredAt": "2026-05-22T15:00:00Z" })),
    )
    .await;
    assert_eq!(
        measured(&world).await,
        json!([["2026-05-22", 41, null]]),
        "another day"
    );
    assert_eq!(world.count(CONFLICTS).await, 0, "nobody wrote by hand");
}

#[tokio::test]
async fn one_of_two_readings_that_a_note_loses_goes_alone() {
    let world = account().await;
    edited(
        &world,
        note(
            "tme_a",
            "2026-05-20",
            "Humidity 44%. Temperature 20 degrees C",
        ),
    )
    .await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 44, 20]]));
    edited(
        &world,
        patch("tme_a", json!({ "comment": "Temperature 20 degrees C" })),
    )
    .await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", null, 20]]));
}

#[tokio::test]
async fn what_a_note_added_to_a_measurement_of_the_api_goes_with_the_note() {
    let world = account().await;
    let measurement = json!({ "id": "pms_a", "pianoId": "ins_note", "takenOn": "2026-05-20", "humidity": null,
        "temperature": 20, "createdAt": "2026-05-20T15:00:00Z", "updatedAt": "2026-05-20T15:00:00Z" });
    let upsert =
        json!({ "op": "upsert", "kind": "measurement", "id": "pms_a", "value": measurement });
    edited(
        &world,
        json!([upsert, note("tme_a", "2026-05-20", "Humidity 44%")]),
    )
    .await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 44, 20]]));
    edited(&world, patch("tme_a", json!({ "comment": "Humidity 41%" }))).await;
    assert_eq!(
        measured(&world).await,
        json!([["2026-05-20", 41, 20]]),
        "corrected"
    );
    edited(&world, patch("tme_a", json!({ "type": "USER_COMMENT" }))).await;
    assert_eq!(
        measured(&world).await,
        json!([["2026-05-20", null, 20]]),
        "the API's own stays"
    );
    assert_eq!(world.count(CONFLICTS).await, 0);
}

#[tokio::test]
async fn what_people_wrote_into_a_derived_row_outlives_a_correction_of_its_note() {
    let world = noted().await;
    world
        .sql("update prod.measurements set temperature = 21 where piano_id = 'ins_note'")
        .await;
    edited(&world, patch("tme_a", json!({ "comment": "Humidity 41%" }))).await;
    assert_eq!(measured(&world).await, json!([["2026-05-20", 41, 21]]));
}
