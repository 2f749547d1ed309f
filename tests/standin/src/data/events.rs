//! The calendar from a week ago to next year: tunings, cancelled visits, memos, two-day personal blocks.

use serde_json::json;

use super::{
    Map, World,
    dice::Dice,
    instant,
    names::{STREET, TOWN},
    object, working_hour,
};

/// The ids that events and bills point to; `owners` is the client number of each piano.
pub(super) struct Links<'a> {
    pub(super) clients: &'a [String],
    pub(super) pianos: &'a [String],
    pub(super) owners: &'a [u32],
    pub(super) users: &'a [String],
}

/// Events in the order of their start.
pub(super) fn events(world: &World, links: &Links<'_>) -> Vec<Map> {
    let mut events: Vec<(i64, Map)> = (0..world.volumes.events)
        .map(|index| event(world, links, index))
        .collect();
    events.sort_by_key(|(start, _)| *start);
    events.into_iter().map(|(_, event)| event).collect()
}

fn event(world: &World, links: &Links<'_>, index: usize) -> (i64, Map) {
    let mut dice = Dice::new(world.seed, "event", index as u64);
    let days = dice.between(-7, 60)
        + if dice.chance(150) {
            dice.between(0, 300)
        } else {
            0
        };
    let start = working_hour(world.now + days * 86_400, &mut dice);
    let kind = match index % 20 {
        3 => "PERSONAL",
        7 => "MEMO",
        11 => "SYNCED",
        _ => "APPOINTMENT",
    };
    let visit = kind == "APPOINTMENT";
    let piano = dice.below(links.pianos.len());
    let owner = links.owners[piano];
    // One visit in twenty has no client, one more has a client and no piano.
    let (has_client, has_piano) = (
        visit && index % 20 != 15,
        visit && index % 20 != 15 && index % 20 != 17,
    );
    let status = match (visit, index % 20) {
        (true, 1 | 9) => "CANCELED",
        (true, 13) if start < world.now => "NO_SHOW",
        (true, _) if start < world.now => "COMPLETE",
        _ => "ACTIVE",
    };
    let created = start - dice.between(1, 120) * 86_400;
    let id = dice.ident("evt_");
    let mut pianos = Vec::new();
    if has_piano {
        pianos
            .push(json!({"event": id, "piano": links.pianos[piano], "isTuning": dice.chance(850)}));
        let others =
            (0..links.pianos.len()).filter(|&other| other != piano && links.owners[other] == owner);
        pianos.extend(
            others
                .take(dice.below(4))
                .map(|other| json!({"event": id, "piano": links.pianos[other], "isTuning": true})),
        );
    }
    let town = TOWN[dice.below(TOWN.len())];
    let confirmed = visit && dice.chance(500);
    let record = object(json!({
        "id": id, "type": kind, "status": status, "start": instant(start), "isAllDay": kind == "PERSONAL" && dice.chance(500),
        "title": match kind { "PERSONAL" => "Congé", "MEMO" => "Commander des cordes", "SYNCED" => "Dentist", _ => "Accord de piano" },
        "duration": match kind { "PERSONAL" => 48 * 60, "MEMO" => 15, _ => 60 + 30 * dice.between(0, 3) }, "buffer": dice.pick(&[&0_i64, &15, &30]),
        "timezone": "America/Montreal", "notes": dice.chance(250).then(|| dice.pick(&["Sonner deux fois.", "Gate code 2040.", "Concert à 20 h."])),
        "source": dice.pick(&["client_schedule", "tech_schedule", "manual_schedule"]), "travelMode": "DRIVING",
        "client": has_client.then(|| &links.clients[owner as usize]),
        "user": links.users[if dice.chance(60) { 8 } else { dice.below(7) }], "createdBy": links.users[dice.below(7)],
        "createdAt": instant(created), "updatedAt": instant((created + dice.between(0, 20) * 86_400).min(world.now)),
        "confirmedByClient": confirmed, "confirmedAt": confirmed.then(|| instant(created + 3_600)), "lifecycleState": "SCHEDULED",
        "location": visit.then(|| json!({
            "id": dice.ident("loc_"), "locationType": "ADDRESS", "street1": format!("{} {}", dice.between(1, 990), dice.pick(STREET)),
            "municipality": town.0, "region": town.1, "postalCode": "J0J 0J0", "countryCode": "CA",
        })),
        "allEventPianos": pianos,
    }));
    (start, record)
}
