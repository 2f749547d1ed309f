//! Users and clients: institutions, households that share a phone, people without e-mail or phone,
//! one person with two user ids, and users that `allUsers` never lists.

use serde_json::{Value, json};

use super::{
    Map, World, day,
    dice::Dice,
    instant,
    names::{CLIENT_TAG, FIRST, INSTITUTION, LAST, STREET, TOWN, plain},
    object,
};

/// Marks a record that can be reached by reference but is in no list.
pub(crate) const UNLISTED: &str = "$unlisted";

const LISTED_USERS: usize = 10;
const UNLISTED_USERS: usize = 3;

/// The users: seven people (one of them twice, with one e-mail), two pseudo-users, and three that no list
/// holds.
pub(super) fn users(world: &World) -> Vec<Map> {
    (0..LISTED_USERS + UNLISTED_USERS)
        .map(|index| user(world, index))
        .collect()
}

fn user(world: &World, index: usize) -> Map {
    let mut dice = Dice::new(world.seed, "user", index as u64);
    let id = dice.ident("usr_");
    // Number 7 is number 0 again, under a second id.
    let person = if index == 7 { 0 } else { index };
    let (first, last, email) = match index {
        8 => (
            "À assigner".to_owned(),
            "(technicien)".to_owned(),
            "a-assigner@atelier.example".to_owned(),
        ),
        9 => (
            "Système".to_owned(),
            "Gazelle".to_owned(),
            "systeme@atelier.example".to_owned(),
        ),
        _ => {
            let (first, last) = (
                FIRST[(person * 7 + 3) % FIRST.len()],
                LAST[(person * 11 + 5) % LAST.len()],
            );
            (
                first.to_owned(),
                last.to_owned(),
                format!("{}.{}@atelier.example", plain(first), plain(last)),
            )
        }
    };
    let created = world.now - dice.between(2_000, 5_400) * 86_400;
    let mut record = object(json!({
        "id": id, "firstName": first, "lastName": last, "fullName": format!("{first} {last}"), "email": email,
        "status": if index >= LISTED_USERS || index == 7 { "INACTIVE" } else { "ACTIVE" },
        "accessLevel": match index { 0 => "ADMIN", 5 | 9 => "ASSISTANT", _ => "TECHNICIAN" },
        "isSchedulable": index < 7, "color": format!("#{:06x}", dice.next() & 0xff_ffff),
        "timezone": "America/Montreal", "region": "QC",
        "createdAt": instant(created), "updatedAt": instant(world.now - dice.between(1, 300) * 86_400),
        "defaultUserLocalization": localization("fr_CA"), "defaultClientLocalization": localization("fr_CA"),
    }));
    if index >= LISTED_USERS {
        record.insert(UNLISTED.into(), Value::Bool(true));
    }
    record
}

pub(super) fn localization(locale: &str) -> Value {
    let id = if locale == "fr_CA" {
        "loc_FrCA0000Standin1"
    } else {
        "loc_EnCA0000Standin2"
    };
    json!({"id": id, "locale": locale, "name": locale, "currency": "CAD", "isClientDefault": locale == "fr_CA", "isUserDefault": locale == "fr_CA"})
}

/// The id of client number `index`.
pub(crate) fn client_id(seed: u64, index: usize) -> String {
    Dice::new(seed, "client-id", index as u64).ident("cli_")
}

/// True for the clients that are institutions: the first of every twelve, so that any scale has some.
pub(super) fn is_institution(index: usize) -> bool {
    index.is_multiple_of(12)
}

/// The client whose phone, surname and address this one shares: itself, or the neighbour before it.
fn household(seed: u64, index: usize) -> usize {
    let shares = index > 0
        && !is_institution(index)
        && !is_institution(index - 1)
        && Dice::new(seed, "household", index as u64).chance(60);
    if shares {
        household(seed, index - 1)
    } else {
        index
    }
}

/// Client number `index`, complete with its contacts; it depends on nothing but the seed, today and the
/// number.
pub(crate) fn client(seed: u64, now: i64, index: usize, technicians: &[String]) -> Map {
    let mut dice = Dice::new(seed, "client", index as u64);
    let id = client_id(seed, index);
    let french = dice.chance(700);
    let institution = is_institution(index);
    let created = now - dice.between(3, 5_600) * 86_400 - dice.between(0, 86_399);
    let updated = created + (dice.fraction() * (now - created) as f64) as i64;
    let town = TOWN[Dice::new(seed, "town", household(seed, index) as u64).below(TOWN.len())];
    let contact = contact(seed, index, 0, created, updated, &id);
    let mut contacts = vec![contact.clone()];
    if institution || dice.chance(80) {
        contacts.push(self::contact(seed, index, 1, created, updated, &id));
    }
    let company = institution.then(|| format!("{} {}", dice.pick(INSTITUTION), town.0));
    let search = format!(
        "{} {} {}",
        id,
        company.as_deref().unwrap_or(""),
        name_of(&contact)
    );
    let mut tags: Vec<&str> = (0..dice.below(4)).map(|_| dice.pick(CLIENT_TAG)).collect();
    tags.sort_unstable();
    tags.dedup();
    let mut record = object(json!({
        "id": id, "companyName": company, "status": dice.pick(&["ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "PROSPECT", "NEW"]),
        "clientType": if institution { "INSTITUTION" } else { "RESIDENTIAL" }, "tags": tags,
        "personalNotes": dice.chance(350).then(|| personal_note(&mut dice.clone(), french)),
        "preferenceNotes": dice.chance(200).then_some(if french { "Préfère le matin, après 9 h." } else { "Mornings only, please call ahead." }),
        "lifecycleState": "ACTIVE", "referenceId": dice.chance(50).then(|| format!("QB-{index}")),
        "referredBy": dice.chance(100).then_some(if french { "Bouche à oreille" } else { "Word of mouth" }),
        "region": town.1, "searchString": search, "ignoreSafetyChecks": false,
        "noContactUntil": dice.chance(15).then(|| day(now + 40 * 86_400)),
        "createdAt": instant(created), "updatedAt": instant(updated),
        "defaultClientLocalization": localization(if french { "fr_CA" } else { "en_US" }),
        "company": {"id": "com_Standin000000001", "name": "Atelier Standin", "isParked": false, "isOverBillablePianoLimit": false},
    }));
    // Moved and cloned rather than written above, where each would be serialised once more.
    record.insert("defaultContact".into(), contact);
    if let Some(last) = contacts.last() {
        record.insert("defaultBillingContact".into(), last.clone());
    }
    record.insert("allContacts".into(), Value::Array(contacts));
    if !technicians.is_empty() && dice.chance(600) {
        let technician = &technicians[dice.below(technicians.len())];
        record.insert("preferredTechnicianId".into(), json!(technician));
        record.insert("preferredTechnician".into(), json!(technician));
    }
    record
}

fn name_of(contact: &Value) -> String {
    format!(
        "{} {}",
        contact["firstName"].as_str().unwrap_or(""),
        contact["lastName"].as_str().unwrap_or("")
    )
}

fn personal_note(dice: &mut Dice, french: bool) -> String {
    let code = dice.between(1_000, 9_999);
    let notes = if french {
        [
            "Chien gentil, Réglisse. Code d'entrée {c}#.",
            "Les enfants font la sieste à 13 h.",
            "Stationner derrière — code {c}.",
            "Paie toujours comptant « sans faute ».",
        ]
    } else {
        [
            "Dog is called Biscuit, door code {c}.",
            "Two kids, piano exam in June.",
            "Park at the back; ring twice.",
            "Prefers text to e-mail.",
        ]
    };
    dice.pick(&notes).replace("{c}", &code.to_string())
}

fn contact(
    seed: u64,
    index: usize,
    number: usize,
    created: i64,
    updated: i64,
    client: &str,
) -> Value {
    let mut dice = Dice::new(seed, "contact", (index * 4 + number) as u64);
    let home = household(seed, index);
    let first = dice.pick(FIRST);
    let last = LAST[Dice::new(seed, "surname", home as u64).below(LAST.len())];
    let (no_email, no_phone) = (dice.chance(200), dice.chance(120));
    let email = (!no_email).then(|| {
        let host = dice.pick(&["example.org", "courriel.example", "mail.example.com"]);
        json!({"id": dice.ident("eml_"), "email": format!("{}.{}{index}{}@{host}", plain(first), plain(last), if number == 0 { "" } else { "b" }), "isDefault": true})
    });
    let phone = (!no_phone).then(|| {
        json!({"id": dice.ident("phn_"), "phoneNumber": phone(home, number), "type": dice.pick(&["MOBILE", "HOME", "WORK", "PRIMARY"]), "isDefault": true,
               "extension": (number == 1 && dice.chance(300)).then(|| dice.between(100, 399).to_string())})
    });
    let location = location(seed, home);
    let mut contact = json!({
        "id": dice.ident("con_"), "firstName": first, "lastName": last, "title": dice.chance(60).then_some("Mme"),
        "role": (number == 1).then_some("Comptabilité"), "archived": false, "isDefault": number == 0, "isBillingDefault": number == 1,
        "sortOrder": number, "wantsEmail": !no_email, "wantsPhone": dice.chance(800), "wantsText": dice.chance(500),
        "createdAt": instant(created), "updatedAt": instant(updated), "client": client,
    });
    for (name, value) in [
        ("allEmails", Value::Array(email.iter().cloned().collect())),
        ("allPhones", Value::Array(phone.iter().cloned().collect())),
        ("allLocations", Value::Array(vec![location.clone()])),
        ("defaultEmail", email.into()),
        ("defaultPhone", phone.into()),
        ("defaultMailingLocation", location.clone()),
        ("defaultBillingLocation", location.clone()),
        ("defaultLocation", location),
    ] {
        contact[name] = value;
    }
    contact
}

fn location(seed: u64, home: usize) -> Value {
    let mut dice = Dice::new(seed, "location", home as u64);
    let town = TOWN[Dice::new(seed, "town", home as u64).below(TOWN.len())];
    json!({
        "id": dice.ident("loc_"), "locationType": "ADDRESS", "usageType": "STREET",
        "street1": format!("{}, {}", dice.between(1, 9_900), dice.pick(STREET)),
        "street2": dice.chance(120).then(|| format!("app. {}", dice.between(1, 40))), "municipality": town.0, "region": town.1,
        "postalCode": format!("{}{}{} {}{}{}", dice.pick(&["J", "H", "G", "K", "E"]), dice.between(0, 9), dice.pick(&["A", "B", "T", "X"]),
                              dice.between(0, 9), dice.pick(&["K", "L", "N", "V"]), dice.between(0, 9)),
        "countryCode": "CA", "latitude": format!("45.{:05}", dice.between(10_000, 99_999)), "longitude": format!("-73.{:05}", dice.between(10_000, 99_999)),
        "isBadAddress": dice.chance(20),
    })
}

/// A phone number that no other household has, in one of the spellings people use; the exchange 555 is
/// nobody's.
fn phone(home: usize, number: usize) -> String {
    const AREA: &[&str] = &[
        "514", "438", "450", "579", "819", "418", "581", "873", "613", "343", "416", "647", "905",
        "506", "902", "204", "306", "403", "604", "250",
    ];
    let line = home * 2 + number;
    let area = AREA[(line / 10_000) % AREA.len()];
    let (exchange, last) = (555 - line / (10_000 * AREA.len()), line % 10_000);
    match home % 4 {
        0 => format!("({area}) {exchange}-{last:04}"),
        1 => format!("+1{area}{exchange}{last:04}"),
        2 => format!("{area} {exchange}-{last:04}"),
        _ => format!("{area}.{exchange}.{last:04}"),
    }
}
