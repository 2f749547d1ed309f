//! The first run of a fresh installation lands everything and accounts for everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::world::{World, texts};

#[tokio::test]
async fn the_first_run_lands_everything_and_accounts_for_it() {
    let world = World::small().await;
    let answer = world.run_sync(&["--all"]).await.expect(0);
    let states: BTreeMap<String, String> = answer.states().into_iter().collect();
    assert_eq!(states.len(), 6, "{states:?}");
    assert_eq!(
        (states["users"].as_str(), states["clients"].as_str()),
        ("OK", "OK")
    );
    assert_eq!(states["measurements"], "OK_Q");

    let counted = world
        .source
        .ask("{ allClients { totalCount } allPianos { totalCount } allTimelineEntries { totalCount } allEventsBatched { totalCount } allUsers { id email } }")
        .await;
    let users = counted["allUsers"].as_array().expect("users");
    let total = |field: &str| counted[field]["totalCount"].as_i64().expect("a count");
    let expected = [
        ("users", users.len() as i64),
        ("clients", total("allClients")),
        ("pianos", total("allPianos")),
        ("timeline", total("allTimelineEntries")),
        ("appointments", total("allEventsBatched")),
    ];
    for (module, there) in expected {
        let line = answer.module(module);
        assert_eq!(line["staged"]["new"], there, "{module} is staged whole");
        assert_eq!(
            known(&world, module).await + waiting(&world, module).await,
            there,
            "{module} is accounted for"
        );
    }
    let mails: BTreeSet<&str> = users
        .iter()
        .filter_map(|user| user["email"].as_str())
        .collect();
    let without = users.iter().filter(|user| user["email"].is_null()).count();
    assert!(mails.len() + without < users.len(), "somebody has two ids");
    let unknown = world.placeholders_of("users").await;
    assert_eq!(
        world.ids_of("users").await.len() - unknown.len(),
        mails.len() + without,
        "one person with two ids is one row"
    );
    assert_eq!(
        world.ids_of("clients").await.len() as i64,
        total("allClients")
    );
}

/// Records of a module that some entity stands for.
async fn known(world: &World, module: &str) -> i64 {
    let identities = world.identities_of(module).await;
    let known = identities
        .iter()
        .filter(|identity| identity["method"] != "placeholder");
    known.count() as i64
}

/// Records of a module that wait, landed ones not among them.
async fn waiting(world: &World, module: &str) -> i64 {
    let mut waiting = BTreeSet::new();
    for kind in ["parking", "quarantine", "review"] {
        let mut problems = world.open_problems_of(module, kind).await;
        problems.retain(|problem| problem["detail"]["landed"] != true);
        waiting.extend(texts(&problems, "source_id"));
    }
    waiting.len() as i64
}

#[tokio::test]
async fn twins_are_folded_into_one_entry() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let selection = "id type occurredAt client { id } piano { id } summary comment";
    let entries = world.source.every("allTimelineEntries", selection).await;
    let mut same: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mut entry in entries.clone() {
        let id = entry["id"].take().as_str().expect("an id").to_owned();
        same.entry(entry.to_string()).or_default().push(id);
    }
    let twins: Vec<&Vec<String>> = same
        .values()
        .filter(|ids| ids.len() == 2 && ids[0].get(..4) != ids[1].get(..4))
        .collect();
    assert!(!twins.is_empty(), "the account has twins");
    let mut records: BTreeMap<String, usize> = BTreeMap::new();
    for entity in texts(&world.identities_of("timeline").await, "entity_id") {
        *records.entry(entity).or_default() += 1;
    }
    let folded = records.values().filter(|records| **records == 2).count();
    let parked = world.open_problems_of("timeline", "parking").await;
    let parked: BTreeSet<String> = texts(&parked, "source_id").into_iter().collect();
    let landed = twins
        .iter()
        .filter(|ids| ids.iter().all(|id| !parked.contains(id)))
        .count();
    assert_eq!(folded, landed, "each pair is one row with two identities");
    let rows = world.ids_of("timeline_entries").await;
    assert_eq!(rows.len(), entries.len() - parked.len() - folded);
    for ids in twins
        .iter()
        .filter(|ids| ids.iter().all(|id| !parked.contains(id)))
    {
        let own = ids
            .iter()
            .find(|id| id.starts_with("tme_"))
            .expect("the native id");
        assert!(rows.contains(own), "{own} of {ids:?} names the row");
    }
}

#[tokio::test]
async fn unknown_users_stand_as_placeholders_with_a_task() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let mut made = world.rows_of("users").await;
    made.retain(|user| user["is_placeholder"] == true);
    let tasks = world.open_problems_with("unknown_parent").await;
    assert!(!made.is_empty(), "the account has users that no list holds");
    for user in &made {
        let id = user["id"].as_str().expect("an id");
        assert_eq!(user["name"], format!("Inconnu ({id})"));
        let of_user = |task: &&Value| {
            (&task["kind"], &task["module"], &task["source_id"])
                == (&json!("task"), &json!("users"), &user["id"])
        };
        assert_eq!(tasks.iter().filter(of_user).count(), 1, "{id} has a task");
        let children = format!(
            "select (select count(*) from prod.timeline_entries where user_id = '{id}')
                  + (select count(*) from prod.appointments where user_id = '{id}')
                  + (select count(*) from prod.clients where technician_id = '{id}')"
        );
        assert!(
            world.count(&children).await > 0,
            "{id} was made for a child that landed"
        );
    }
}

#[tokio::test]
async fn orphans_wait_and_impossible_readings_are_set_aside() {
    let world = World::small().await;
    let answer = world.run_sync(&["--all"]).await.expect(0);
    let pianos = world
        .source
        .every(
            "allPianos",
            "id client { id } allPianoMeasurements { id humidity temperature }",
        )
        .await;
    let clients: BTreeSet<String> = world
        .source
        .every("allClients", "id")
        .await
        .iter()
        .map(|client| client["id"].to_string())
        .collect();
    let orphans: Vec<&Value> = pianos
        .iter()
        .filter(|piano| {
            !piano["client"].is_null() && !clients.contains(&piano["client"]["id"].to_string())
        })
        .collect();
    assert!(
        !orphans.is_empty(),
        "the account has pianos whose client is in no list"
    );
    assert_eq!(answer.module("pianos")["claims"]["parked"], orphans.len());
    let parked = world.open_problems_of("pianos", "parking").await;
    for piano in &orphans {
        let ids = (&piano["id"], &piano["client"]["id"]);
        let waits = parked
            .iter()
            .filter(|problem| (&problem["source_id"], &problem["waits_id"]) == ids);
        assert_eq!(
            waits.count(),
            1,
            "{piano} waits for its client by the id as received"
        );
    }
    let number = |value: &Value| value.as_f64();
    let impossible = pianos
        .iter()
        .flat_map(|piano| piano["allPianoMeasurements"].as_array().expect("a list"))
        .filter(|measured| {
            number(&measured["humidity"]).is_some_and(|humidity| !(0.0..=100.0).contains(&humidity))
                || number(&measured["temperature"])
                    .is_some_and(|degrees| !(-40.0..=60.0).contains(&degrees))
        });
    let ids: Vec<&str> = impossible
        .filter_map(|measured| measured["id"].as_str())
        .collect();
    assert!(!ids.is_empty(), "the account has impossible readings");
    let set_aside = texts(&world.open_problems("quarantine").await, "source_id");
    let landed = world.ids_of("measurements").await;
    for id in ids {
        assert!(set_aside.iter().any(|other| other == id), "{id}");
        assert!(!landed.iter().any(|other| other == id), "{id}");
    }
}

#[tokio::test]
async fn cancelled_visits_are_kept_and_notes_yield_readings() {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let events = world.source.every("allEventsBatched", "id status").await;
    let cancelled = events
        .iter()
        .filter(|event| event["status"] == "CANCELED")
        .count() as i64;
    assert!(cancelled > 0, "the account has cancelled visits");
    let parked = "select count(distinct p.source_id) from ops.problems p join staging.records r using (module, source_id)
        where p.module = 'appointments' and p.kind = 'parking' and r.payload ->> 'status' = 'CANCELED'";
    let kept =
        "select count(*) from prod.appointments where status = 'CANCELED' and deleted_at is null";
    assert_eq!(
        world.count(kept).await + world.count(parked).await,
        cancelled
    );

    let derived = world
        .rows("select m.*, e.id as entry, e.occurred_at from prod.measurements m join prod.timeline_entries e on e.id = m.id where origin = 'note'")
        .await;
    assert!(!derived.is_empty(), "service notes hold readings");
    let all = world
        .count("select count(*) from prod.measurements where origin = 'note'")
        .await;
    assert_eq!(derived.len() as i64, all, "each is named after its entry");
    let twice = "select count(*) from (select 1 from prod.measurements where origin = 'note' group by piano_id, taken_on having count(*) > 1) t";
    assert_eq!(
        world.count(twice).await,
        0,
        "an instrument has one reading of its notes a day"
    );
}
