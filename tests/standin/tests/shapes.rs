use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use standin::SPELLINGS;

use crate::stand::{Stand, ids};

/// What makes two entries the same to a reader: everything but the id.
fn sense(entry: &Value, with_piano: bool) -> String {
    let piano = if with_piano {
        &entry["piano"]
    } else {
        &Value::Null
    };
    json!([
        entry["client"],
        piano,
        entry["type"],
        entry["occurredAt"],
        entry["summary"],
        entry["comment"]
    ])
    .to_string()
}

#[tokio::test]
async fn the_timeline_holds_twins_and_look_alikes_and_comes_newest_first() {
    let stand = Stand::small().await;
    let (entries, _) = stand
        .walk(
            "allTimelineEntries",
            "id type occurredAt client { id } piano { id } user { id } summary comment",
            100,
        )
        .await;
    let instants: Vec<&str> = entries
        .iter()
        .filter_map(|entry| entry["occurredAt"].as_str())
        .collect();
    assert!(instants.is_sorted_by(|a, b| a >= b) && instants.iter().all(|at| at.ends_with('Z')));

    let (mut by_sense, mut without_piano) = (
        HashMap::<String, Vec<&Value>>::new(),
        HashMap::<String, HashSet<String>>::new(),
    );
    for entry in &entries {
        by_sense.entry(sense(entry, true)).or_default().push(entry);
        if entry["type"] == "SERVICE_ENTRY_MANUAL" {
            without_piano
                .entry(sense(entry, false))
                .or_default()
                .insert(entry["piano"].to_string());
        }
    }
    let twins: Vec<_> = by_sense.values().filter(|group| group.len() == 2).collect();
    assert!(
        (40..=80).contains(&twins.len()),
        "{} twins in {}",
        twins.len(),
        entries.len()
    );
    for pair in twins {
        let prefixes: HashSet<&str> = pair
            .iter()
            .filter_map(|entry| entry["id"].as_str()?.get(..4))
            .collect();
        assert_eq!(prefixes, HashSet::from(["tle_", "tme_"]));
    }
    assert!(
        without_piano.values().any(|pianos| pianos.len() == 2),
        "one note on two pianos"
    );

    let listed = ids(stand.ask("{ allUsers { id } }").await["data"]["allUsers"]
        .as_array()
        .expect("users"));
    let strangers: HashSet<&str> = entries
        .iter()
        .filter_map(|entry| entry["user"]["id"].as_str())
        .filter(|id| !listed.contains(&(*id).to_owned()))
        .collect();
    assert!((1..=3).contains(&strangers.len()), "{strangers:?}");
    let messages: Vec<&str> = entries
        .iter()
        .filter(|entry| entry["type"] == "SYSTEM_MESSAGE")
        .filter_map(|entry| entry["summary"].as_str())
        .collect();
    assert!(
        messages.iter().all(|text| text.starts_with("Appointment "))
            && messages
                .iter()
                .any(|text| text.starts_with("Appointment cancelled for "))
    );
}

#[tokio::test]
async fn service_notes_hide_readings_in_every_spelling_and_some_hold_none() {
    let stand = Stand::small().await;
    let (entries, _) = stand.walk("allTimelineEntries", "type comment", 100).await;
    let notes: Vec<&str> = entries
        .iter()
        .filter(|entry| {
            entry["type"]
                .as_str()
                .is_some_and(|kind| kind.starts_with("SERVICE_ENTRY"))
        })
        .filter_map(|entry| entry["comment"].as_str())
        .collect();
    let matches = |spelling: &str, note: &str| {
        // The text around the numbers, in order.
        let mut rest = note;
        spelling
            .split(['{', '}'])
            .enumerate()
            .filter(|(place, part)| place % 2 == 0 && !part.is_empty())
            .all(|(_, part)| {
                rest.find(part).is_some_and(|at| {
                    rest = &rest[at + part.len()..];
                    true
                })
            })
    };
    let telling = SPELLINGS.iter().filter(|spelling| spelling.len() > 14);
    for spelling in telling {
        assert!(
            notes.iter().any(|note| matches(spelling, note)),
            "no note reads {spelling}"
        );
    }
    let silent = notes
        .iter()
        .filter(|note| SPELLINGS.iter().all(|spelling| !matches(spelling, note)))
        .count();
    assert!(silent > notes.len() / 5, "{silent} of {}", notes.len());
}

#[tokio::test]
async fn people_have_the_gaps_and_doubles_that_were_promised() {
    let stand = Stand::small().await;
    let selection = "id companyName clientType defaultContact { lastName defaultEmail { email } defaultPhone { phoneNumber } } allPianos { totalCount }";
    let (clients, _) = stand.walk("allClients", selection, 100).await;
    assert!(
        clients.iter().all(
            |client| client["companyName"].is_null() == (client["clientType"] == "RESIDENTIAL")
        )
    );
    assert!(
        clients
            .iter()
            .any(|client| client["defaultContact"]["defaultEmail"].is_null())
    );
    assert!(
        clients
            .iter()
            .any(|client| client["defaultContact"]["defaultPhone"].is_null())
    );
    assert!(
        clients
            .iter()
            .any(|client| client["companyName"].is_string()
                && client["allPianos"]["totalCount"].as_u64() >= Some(2))
    );

    let users =
        stand.ask("{ allUsers { id email isSchedulable } }").await["data"]["allUsers"].take();
    let emails: Vec<&str> = users
        .as_array()
        .expect("users")
        .iter()
        .filter_map(|user| user["email"].as_str())
        .collect();
    assert_eq!(
        (emails.len(), emails.iter().collect::<HashSet<_>>().len()),
        (10, 9),
        "one person has two ids"
    );

    let listed = ids(&clients);
    let (pianos, _) = stand.walk("allPianos", "id client { id defaultContact { firstName } } allPianoMeasurements { pianoId humidity temperature }", 100).await;
    let homeless: Vec<&Value> = pianos
        .iter()
        .filter(|piano| {
            !listed.contains(
                &piano["client"]["id"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            )
        })
        .collect();
    assert_eq!(homeless.len(), 1);
    let measurements: Vec<&Value> = pianos
        .iter()
        .flat_map(|piano| piano["allPianoMeasurements"].as_array().expect("a list"))
        .collect();
    assert_eq!(measurements.len(), 15);
    assert!(
        measurements.iter().any(|one| one["humidity"] == 180)
            && measurements.iter().any(|one| one["temperature"] == 900)
    );
}

#[tokio::test]
async fn households_share_a_phone_and_strangers_do_not() {
    let stand = Stand::with(standin::Options {
        clients: Some(400),
        ..standin::Options::small()
    })
    .await;
    let (clients, _) = stand.walk("allClients", "id defaultContact { lastName defaultPhone { phoneNumber } defaultLocation { street1 } }", 100).await;
    let mut by_phone = HashMap::<String, HashSet<String>>::new();
    let mut sharing = 0;
    for client in &clients {
        let contact = &client["defaultContact"];
        if let Some(phone) = contact["defaultPhone"]["phoneNumber"].as_str() {
            let home =
                json!([contact["lastName"], contact["defaultLocation"]["street1"]]).to_string();
            let homes = by_phone.entry(phone.to_owned()).or_default();
            sharing += usize::from(homes.contains(&home));
            homes.insert(home);
        }
    }
    assert!(sharing >= 3, "{sharing} clients share a phone");
    assert!(
        by_phone.values().all(|homes| homes.len() == 1),
        "a phone belongs to one home"
    );
}

#[tokio::test]
async fn the_calendar_has_cancelled_visits_personal_blocks_and_visits_without_client_or_piano() {
    let stand = Stand::small().await;
    let (events, _) = stand.walk("allEventsBatched", "id type status duration client { id } allEventPianos { totalCount nodes { isTuning piano { id } } }", 100).await;
    let any = |test: &dyn Fn(&Value) -> bool| events.iter().any(test);
    assert!(any(&|event| event["status"] == "CANCELED"));
    assert!(any(
        &|event| event["type"] == "PERSONAL" && event["duration"] == 2_880
    ));
    assert!(any(
        &|event| event["type"] == "APPOINTMENT" && event["client"].is_null()
    ));
    assert!(any(
        &|event| event["client"].is_object() && event["allEventPianos"]["totalCount"] == 0
    ));
    let plain = stand.ask("{ allEvents(filters: {status: [CANCELED]}) { status } allEventCancelNotices { totalCount } }").await;
    let cancelled = plain["data"]["allEvents"].as_array().expect("a list");
    assert!(cancelled.iter().all(|event| event["status"] == "CANCELED"));
    assert_eq!(
        plain["data"]["allEventCancelNotices"]["totalCount"].as_u64(),
        Some(cancelled.len() as u64)
    );
}

#[tokio::test]
async fn filters_and_sorts_select_and_order() {
    let stand = Stand::small().await;
    let all = stand.walk("allClients", "id createdAt tags", 100).await.0;
    let created = all[7]["createdAt"].as_str().expect("an instant");
    let query = "query($from: CoreDateTime) { allClients(filters: {createdGet: $from}, sortBy: [CREATED_AT_DESC]) { nodes { id createdAt } totalCount } }";
    let answer = stand.ask_with(query, json!({"from": created})).await["data"]["allClients"].take();
    let expected = all
        .iter()
        .filter(|client| client["createdAt"].as_str() >= Some(created))
        .count();
    assert_eq!(answer["totalCount"].as_u64(), Some(expected as u64));
    let order: Vec<&str> = answer["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .filter_map(|node| node["createdAt"].as_str())
        .collect();
    assert!(order.is_sorted_by(|a, b| a >= b) && order.last() == Some(&created));

    let tagged = stand
        .ask("{ allClients(filters: {anyTags: [\"VIP\"]}) { nodes { tags } } }")
        .await;
    let tagged = tagged["data"]["allClients"]["nodes"]
        .as_array()
        .expect("nodes");
    assert!(tagged.iter().all(|client| {
        client["tags"]
            .as_array()
            .is_some_and(|tags| tags.contains(&json!("VIP")))
    }));
    let by_id = stand
        .ask_with(
            "query($s: String) { allClients(filters: {search: $s}) { nodes { id } } }",
            json!({"s": all[3]["id"]}),
        )
        .await;
    assert_eq!(
        by_id["data"]["allClients"]["nodes"],
        json!([{"id": all[3]["id"]}]),
        "search matches ids"
    );

    let entries = stand
        .walk("allTimelineEntries", "id type occurredAt", 100)
        .await
        .0;
    let since = entries[500]["occurredAt"].as_str().expect("an instant");
    let query = "query($since: CoreDateTime, $types: [TimelineEntryType!]) { allTimelineEntries(occurredAtGet: $since, types: $types) { nodes { id } totalCount } }";
    let answer = stand
        .ask_with(
            query,
            json!({"since": since, "types": ["INVOICE", "SYSTEM_MESSAGE"]}),
        )
        .await;
    let expected: Vec<String> = ids(&entries
        .iter()
        .filter(|entry| {
            entry["occurredAt"].as_str() >= Some(since)
                && ["INVOICE", "SYSTEM_MESSAGE"]
                    .contains(&entry["type"].as_str().unwrap_or_default())
        })
        .cloned()
        .collect::<Vec<_>>());
    assert_eq!(
        ids(answer["data"]["allTimelineEntries"]["nodes"]
            .as_array()
            .expect("nodes")),
        expected
    );
}
