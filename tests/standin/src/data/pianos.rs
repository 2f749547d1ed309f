//! Pianos and their measurements: institutions own many in many rooms, a few belong to clients that no list
//! holds, a few measurements are beyond what physics allows.

use serde_json::json;

use super::{
    Map, World, day,
    dice::Dice,
    instant,
    names::{MAKE, PIANO_TAG, ROOM},
    object, people,
};

/// Every piano in this many has an owner that `allClients` never lists (the first of them included).
const UNLISTED_OWNER_EVERY: usize = 250;

/// The number of the client that owns piano `index`; numbers at or above `clients` are the unlisted ones.
fn owner(world: &World, index: usize) -> usize {
    let clients = world.volumes.clients;
    if index % UNLISTED_OWNER_EVERY == 3 {
        return clients + index / UNLISTED_OWNER_EVERY;
    }
    if index % 10 < 2 {
        // The conservatory: more pianos than one page holds.
        return 0;
    }
    let mut dice = Dice::new(world.seed, "owner", index as u64);
    if dice.chance(300) {
        let institutions = clients.div_ceil(12).min(24);
        return dice.below(institutions) * 12;
    }
    dice.below(clients)
}

/// How many unlisted clients the pianos need.
pub(super) fn unlisted_owners(world: &World) -> usize {
    (0..world.volumes.pianos)
        .filter(|index| index % UNLISTED_OWNER_EVERY == 3)
        .count()
}

/// All pianos, each with the number of its owner.
pub(super) fn pianos(world: &World, client_ids: &[String]) -> (Vec<Map>, Vec<u32>) {
    (0..world.volumes.pianos)
        .map(|index| {
            let owner = owner(world, index);
            (
                piano(
                    world,
                    index,
                    &client_ids[owner],
                    people::is_institution(owner),
                ),
                owner as u32,
            )
        })
        .unzip()
}

fn piano(world: &World, index: usize, client: &str, institution: bool) -> Map {
    let mut dice = Dice::new(world.seed, "piano", index as u64);
    let id = dice.ident("ins_");
    let (make, models) = MAKE[dice.below(MAKE.len())];
    let model = dice.pick(models);
    let serial = dice
        .chance(850)
        .then(|| dice.between(10_000, 6_999_999).to_string());
    let created = world.now - dice.between(10, 5_600) * 86_400;
    let last = dice
        .chance(800)
        .then(|| day(world.now - dice.between(5, 900) * 86_400));
    let player = dice.chance(40);
    let dampp = dice.chance(250);
    let mut tags: Vec<&str> = (0..dice.below(3)).map(|_| dice.pick(PIANO_TAG)).collect();
    tags.sort_unstable();
    tags.dedup();
    object(json!({
        "id": id, "client": client, "make": make, "model": dice.chance(900).then_some(model), "serialNumber": serial,
        "type": dice.pick(&["GRAND", "UPRIGHT", "UPRIGHT", "STUDIO", "CONSOLE", "SPINET", "UNKNOWN", "HARPSICHORD"]),
        "year": dice.chance(700).then(|| dice.between(1885, 2024)), "size": dice.chance(300).then(|| format!("{} cm", dice.between(110, 274))),
        "location": (institution || dice.chance(300)).then(|| dice.pick(ROOM)),
        "notes": dice.chance(250).then(|| dice.pick(&["Touches en ivoire, deux fêlées.", "Pedal squeaks when dry.", "Table d'harmonie fendue côté aigu.", "Loué à l'année; voir « contrat »."])),
        "status": dice.pick(&["ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "TEMPORARY_STORAGE", "UNDER_RESTORATION"]),
        "tags": tags, "caseColor": dice.pick(&["Noir", "Acajou", "Walnut", "Blanc"]), "caseFinish": dice.pick(&["Poli", "Satin"]),
        "hasIvory": dice.chance(100), "useType": if institution { "Enseignement" } else { "Domestique" },
        "searchString": format!("{id} {make} {model} {}", serial.as_deref().unwrap_or("")),
        "rental": dice.chance(50), "consignment": dice.chance(10), "totalLoss": dice.chance(4), "needsRepairOrRebuilding": dice.chance(60),
        "serviceIntervalMonths": dice.pick(&[&6_i64, &12, &12, &24]), "lifecycleState": "ACTIVE",
        "damppChaserInstalled": dampp, "damppChaserHumidistatModel": dampp.then_some("H-3"), "damppChaserMfgDate": dampp.then(|| day(world.now - 900 * 86_400)),
        "playerInstalled": player, "playerMake": player.then_some("Disklavier"), "playerModel": player.then_some("ENSPIRE"),
        "manualLastService": dice.chance(150).then(|| last.clone()).flatten(), "eventLastService": last, "calculatedLastService": last,
        "calculatedNextService": last.as_ref().map(|_| day(world.now + dice.between(5, 400) * 86_400)),
        "createdAt": instant(created), "updatedAt": instant(created + (dice.fraction() * (world.now - created) as f64) as i64),
    }))
}

/// Measurements; numbers 5 and 9 of every 700 are a humidity of 180 and a temperature of 900.
pub(super) fn measurements(world: &World, piano_ids: &[String]) -> Vec<Map> {
    (0..world.volumes.measurements)
        .map(|index| {
            let mut dice = Dice::new(world.seed, "measurement", index as u64);
            let taken = world.now - dice.between(1, 2_500) * 86_400 - dice.between(0, 30_000);
            let humidity = if index % 700 == 5 { 180 } else { dice.between(18, 68) };
            let temperature = if index % 700 == 9 { 900 } else { dice.between(15, 29) };
            object(json!({
                "id": dice.ident("pms_"), "pianoId": piano_ids[dice.below(piano_ids.len())], "takenOn": day(taken),
                "humidity": (!dice.chance(30)).then_some(humidity).or((index % 700 == 5).then_some(180)),
                "temperature": temperature, "a4Pitch": dice.chance(400).then(|| dice.between(-30, 12)),
                "createdAt": instant(taken), "updatedAt": instant(taken + 3_600),
            }))
        })
        .collect()
}
