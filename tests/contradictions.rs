//! What a whole read says and nobody should believe unasked: ids given to other things, and values that all
//! go at once.

use serde_json::{Value, json};

use crate::world::World;

fn client(id: &str, who: [&str; 6]) -> Value {
    let [given, surname, email, phone, street, city] = who;
    json!({ "op": "upsert", "kind": "client", "id": id, "value": {
        "id": id, "companyName": null, "status": "ACTIVE", "tags": [], "personalNotes": "Fidèle",
        "defaultContact": {
            "firstName": given, "lastName": surname,
            "defaultEmail": { "email": email }, "defaultPhone": { "phoneNumber": phone },
            "defaultLocation": { "street1": street, "municipality": city } },
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

const ANNE: [&str; 6] = [
    "Anne",
    "Roy",
    "anne@roy.example",
    "514 555-0100",
    "1, rue des Pins",
    "Laval",
];
const LUC: [&str; 6] = [
    "Luc",
    "Côté",
    "luc@cote.example",
    "418 555-0199",
    "77, chemin du Roy",
    "Rimouski",
];

async fn blocked(world: &World, says: &[&str]) -> String {
    let before = world.exact().await;
    let line = world
        .run_sync(&["--module", "clients"])
        .await
        .expect(4)
        .module("clients");
    assert_eq!(line["state"], "BLOCKED", "{line}");
    let cause = line["cause"].as_str().expect("a cause").to_owned();
    assert!(says.iter().all(|word| cause.contains(word)), "{cause}");
    assert_eq!(world.exact().await, before, "nothing was changed");
    cause
}

/// A person approves what was asked, and the next run goes through.
async fn approved(world: &World, cause: &str) {
    let (_, after) = cause
        .split_once("concord approve ")
        .expect("how to approve");
    let number: String = after.chars().take_while(char::is_ascii_digit).collect();
    let words = [
        "approve",
        &number,
        "--reason",
        "Vérifié.",
        "--actor",
        "chef",
    ];
    world.concord(&words).await.expect(0);
    world.run_sync(&["--module", "clients"]).await.expect(0);
}

#[tokio::test]
async fn an_id_given_to_another_person_waits_for_a_word() {
    let world = World::small().await;
    let both = json!([client("cli_reused", ANNE), client("cli_swapped", LUC)]);
    world.edit(both).await;
    world.run_sync(&["--all"]).await.expect(0);
    // She marries and moves: still the same.
    let moved = [
        "Anne",
        "Gagnon",
        "anne@roy.example",
        "514 555-0100",
        "9, rue des Lilas",
        "Laval",
    ];
    world.edit(client("cli_reused", moved)).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let swapped = json!([client("cli_reused", LUC), client("cli_swapped", moved)]);
    world.edit(swapped).await;
    let cause = blocked(
        &world,
        &[
            "clients/cli_reused (",
            "clients/cli_swapped (",
            "email",
            "phone",
        ],
    )
    .await;
    let back = json!([client("cli_reused", moved), client("cli_swapped", LUC)]);
    world.edit(back).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let swapped = json!([client("cli_reused", LUC), client("cli_swapped", moved)]);
    world.edit(swapped).await;
    let again = blocked(&world, &["clients/cli_reused ("]).await;
    assert_ne!(again, cause, "what was asked before is over");
    approved(&world, &again).await;
    let row = world.row_of("clients", "cli_reused").await;
    assert_eq!(row["email"], LUC[2]);
}

#[tokio::test]
async fn values_that_all_go_at_once_stay_and_wait_for_a_word() {
    let world = World::small().await;
    let ids: Vec<String> = (0..12).map(|n| format!("cli_noted{n:02}")).collect();
    let all: Value = ids
        .iter()
        .map(|id| client(id, [id, id, "", "", id, ""]))
        .collect();
    world.edit(all).await;
    world.run_sync(&["--all"]).await.expect(0);
    let silent: Value = ids
        .iter()
        .map(|id| json!({ "op": "patch", "kind": "client", "id": id, "value": { "personalNotes": null } }))
        .collect();
    world.edit(silent).await;
    let cause = blocked(&world, &["`personal_notes` of 12 of", "credentials"]).await;
    approved(&world, &cause).await;
    let kept = "select count(*) from prod.clients where personal_notes = 'Fidèle'";
    assert_eq!(world.count(kept).await, 12);
    // Another module says other things of the same records: that is nobody's suspicion.
    let folder = world.copy_module("clients");
    world.edit_file(&folder.join("module.yaml"), |text| text + "\n# Again.\n");
    let again = ["--module", "clients", "--modules", "modules"];
    world.run_sync(&again).await.expect(0);
    world.run_sync(&["--module", "clients"]).await.expect(0);
}

/// Has the source leave these fields out of every record, until the faults are cleared.
async fn left_out(world: &World, fields: &[&str]) {
    world
        .fault(json!({ "name": "field_absent", "value": fields }))
        .await;
}

#[tokio::test]
async fn fields_that_are_left_out_of_every_record_stay_and_wait_for_a_word() {
    let world = World::small().await;
    let noted = |n: usize| {
        let id = format!("cli_noted{n:02}");
        client(&id, [&id, &id, "", "", &id, ""])
    };
    world.edit((0..12).map(noted).collect()).await;
    let clients = ["--module", "clients"];
    world.run_sync(&["--all"]).await.expect(0);
    let before = (world.production().await, world.history().await);
    left_out(&world, &["PrivateClient.personalNotes"]).await;
    let cause = blocked(&world, &["`personal_notes` of ", "credentials"]).await;
    approved(&world, &cause).await;
    assert_eq!((world.production().await, world.history().await), before);
    // What has been silent for long is not asked about again, however many of the records change otherwise.
    let renamed: Value = (0..12)
        .map(|n| json!({ "op": "patch", "kind": "client", "id": format!("cli_noted{n:02}"), "value": { "companyName": "Maison" } }))
        .collect();
    world.edit(renamed).await;
    world.run_sync(&clients).await.expect(0);
    let kept = "select count(*) from prod.clients where personal_notes = 'Fidèle' and company_name = 'Maison'";
    assert_eq!(world.count(kept).await, 12);
    // They come back as nothing new, and whoever falls silent again is asked about again.
    world.clear_faults().await;
    let line = world.run_sync(&clients).await.expect(0).module("clients");
    assert_eq!(line["promotion"], Value::Null, "{line}");
    left_out(&world, &["PrivateClient.personalNotes"]).await;
    blocked(&world, &["`personal_notes` of "]).await;
}

#[tokio::test]
async fn fields_that_few_records_leave_out_change_nothing() {
    let world = World::small().await;
    let ids: Vec<String> = (0..20).map(|n| format!("cli_noted{n:02}")).collect();
    let all = ids.iter().map(|id| client(id, [id, id, "", "", id, ""]));
    world.edit(all.collect()).await;
    let clients = ["--module", "clients"];
    world.run_sync(&["--all"]).await.expect(0);
    let before = (world.production().await, world.history().await);
    // Ten at a time, as a source does that leaves out what is empty: no more than the guard lets through.
    for ids in ids.chunks(10) {
        let absent = ids.iter().map(|id| json!({ "op": "patch", "kind": "client", "id": id, "value": { "personalNotes": { "$absent": true } } }));
        world.edit(absent.collect()).await;
        let line = world.run_sync(&clients).await.expect(0).module("clients");
        assert_eq!(line["staged"]["changed"], 10, "{line}");
        assert_eq!(line["promotion"], Value::Null, "{line}");
    }
    assert_eq!((world.production().await, world.history().await), before);
}
