//! The timeline: compact entries, since there are hundreds of thousands, turned to JSON when they are asked
//! for.

use serde_json::{Value, json};

use super::{Ids, Map, World, dice::Dice, instant, notes};

/// The kinds of entry generated, with their weight in a thousand (shares of the year 2024).
const MIX: &[(&str, u32)] = &[
    ("SERVICE_ENTRY_MANUAL", 52),
    ("SERVICE_ENTRY_AUTOMATED", 15),
    ("PIANO_MEASUREMENT", 17),
    ("APPOINTMENT", 75),
    ("APPOINTMENT_LOG", 150),
    ("CONTACT_EMAIL_AUTOMATED", 134),
    ("CONTACT_EMAIL_MANUAL", 30),
    ("CONTACT_SMS_AUTOMATED", 60),
    ("CONTACT_SMS_MANUAL", 12),
    ("CONTACT_PHONE_MANUAL_TALKED", 15),
    ("CONTACT_PHONE_MANUAL_MESSAGE", 10),
    ("SYSTEM_MESSAGE", 115),
    ("USER_COMMENT", 60),
    ("INVOICE", 60),
    ("INVOICE_LOG", 60),
    ("INVOICE_PAYMENT", 45),
    ("SCHEDULED_MESSAGE_EMAIL", 40),
    ("SCHEDULED_MESSAGE_SMS", 20),
    ("ESTIMATE", 10),
    ("ESTIMATE_LOG", 15),
    ("ERROR_MESSAGE", 5),
];

/// Points to nothing.
const NONE: u32 = u32::MAX;
/// The account was opened on 3 January 2011.
const OPENED: i64 = 1_294_012_800;

/// One timeline entry; people and pianos by their number in [`Ids`].
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    number: u64,
    /// Minted by an import as `tle_…` instead of the vendor's `tme_…`.
    imported: bool,
    kind: u8,
    pub(crate) at: i64,
    pub(crate) client: u32,
    pub(crate) piano: u32,
    user: u32,
    invoice: u32,
    summary: Option<Box<str>>,
    comment: Option<Box<str>>,
}

/// The whole timeline, newest first.
pub(super) fn timeline(world: &World, owners: &[u32], users: usize, invoices: usize) -> Vec<Entry> {
    let wanted = world.volumes.timeline;
    let mut entries = Vec::with_capacity(wanted + 2);
    let mut number = 0;
    while entries.len() < wanted {
        let mut dice = Dice::new(world.seed, "entry", number);
        let entry = entry(world, &mut dice, number, owners, users, invoices);
        number += 1;
        // Twins: the same entry once under an imported id and once under the vendor's.
        if number % 50 == 7 {
            entries.push(Entry {
                imported: true,
                ..entry.clone()
            });
        } else if entry.kind < 2 && dice.chance(60) {
            // Not twins: one note typed for two pianos of one house on one day.
            if let Some(sibling) = sibling(owners, entry.piano) {
                entries.push(Entry {
                    number: number + (1 << 40),
                    piano: sibling,
                    ..entry.clone()
                });
            }
        }
        entries.push(entry);
    }
    entries.truncate(wanted);
    entries.sort_by(|a, b| {
        b.at.cmp(&a.at)
            .then(a.number.cmp(&b.number))
            .then(a.imported.cmp(&b.imported))
    });
    entries
}

fn sibling(owners: &[u32], piano: u32) -> Option<u32> {
    let owner = *owners.get(piano as usize)?;
    (0..owners.len())
        .cycle()
        .skip(piano as usize + 1)
        .take(64)
        .find(|&other| owners[other] == owner && other != piano as usize)
        .map(|other| other as u32)
}

fn entry(
    world: &World,
    dice: &mut Dice,
    number: u64,
    owners: &[u32],
    users: usize,
    invoices: usize,
) -> Entry {
    let kind = pick_kind(dice);
    let name = MIX[usize::from(kind)].0;
    let span = (world.now - 3_600 - OPENED) as f64;
    let at = OPENED + (dice.fraction().powf(0.75) * span) as i64;
    let on_piano = kind < 5 || dice.chance(250);
    let (client, piano) = if on_piano {
        let piano = dice.below(owners.len());
        (owners[piano], piano as u32)
    } else {
        (dice.below(world.volumes.clients) as u32, NONE)
    };
    // The listed users do nearly everything; the last three ids are in no list.
    let user = match dice.below(1_000) {
        0..4 => users - 3 + dice.below(3),
        4..150 => 9,
        _ => dice.below(users - 3),
    };
    let has_user = !name.contains("AUTOMATED") || dice.chance(200);
    let (summary, comment) = text(name, dice, at);
    Entry {
        number,
        imported: false,
        kind,
        at,
        client,
        piano,
        user: if has_user { user as u32 } else { NONE },
        invoice: if name.starts_with("INVOICE") && invoices > 0 {
            dice.below(invoices) as u32
        } else {
            NONE
        },
        summary: summary.map(Into::into),
        comment: comment.map(Into::into),
    }
}

fn pick_kind(dice: &mut Dice) -> u8 {
    let mut roll = dice.below(MIX.iter().map(|(_, weight)| *weight as usize).sum()) as u32;
    for (index, (_, weight)) in MIX.iter().enumerate() {
        if roll < *weight {
            return index as u8;
        }
        roll -= weight;
    }
    0
}

fn text(kind: &str, dice: &mut Dice, at: i64) -> (Option<String>, Option<String>) {
    let amount = dice.between(90, 900);
    match kind {
        "SERVICE_ENTRY_MANUAL" | "SERVICE_ENTRY_AUTOMATED" => (
            dice.chance(250).then(|| "Accord".to_owned()),
            Some(notes::service_note(dice)),
        ),
        "PIANO_MEASUREMENT" => (
            Some("Mesure du piano".to_owned()),
            Some(notes::reading(dice)),
        ),
        "SYSTEM_MESSAGE" => (Some(notes::system_message(dice, at)), None),
        "APPOINTMENT" => (
            Some(
                dice.pick(&["Accord annuel", "Tuning", "Harmonisation", "Évaluation"])
                    .to_owned(),
            ),
            None,
        ),
        "APPOINTMENT_LOG" => (
            Some(
                dice.pick(&[
                    "Rendez-vous confirmé par le client",
                    "Appointment reminder sent",
                    "Rendez-vous déplacé",
                ])
                .to_owned(),
            ),
            None,
        ),
        "INVOICE" | "INVOICE_LOG" => (Some(format!("Facture de {amount},00 $")), None),
        "INVOICE_PAYMENT" => (
            Some(format!("Paiement de {amount},00 $")),
            dice.chance(100).then(|| "Chèque no 118".to_owned()),
        ),
        "USER_COMMENT" => (
            None,
            Some(
                dice.pick(&[
                    "Rappeler en septembre.",
                    "Left a message with the caretaker.",
                    "Clé chez le voisin — M. Ravenscroft.",
                    "Prefers Étienne.",
                ])
                .to_owned(),
            ),
        ),
        "ESTIMATE" | "ESTIMATE_LOG" => (Some("Soumission envoyée".to_owned()), None),
        "ERROR_MESSAGE" => (Some("Le courriel n'a pas pu être livré".to_owned()), None),
        _ => (
            Some(
                dice.pick(&[
                    "Rappel d'accord",
                    "It is time to tune your piano",
                    "Confirmation de rendez-vous",
                ])
                .to_owned(),
            ),
            None,
        ),
    }
}

impl Entry {
    /// The id as the vendor, or the import, wrote it.
    pub(crate) fn id(&self) -> String {
        let mut dice = Dice::new(
            0x7469_6d65,
            if self.imported { "tle" } else { "tme" },
            self.number,
        );
        let prefix = if self.imported { "tle" } else { "tme" };
        format!("{prefix}_{:016x}{:04x}", dice.next(), dice.next() & 0xffff)
    }

    /// The entry's type.
    pub(crate) fn kind(&self) -> &'static str {
        MIX[usize::from(self.kind)].0
    }

    /// The invoice it speaks of.
    pub(crate) fn invoice<'a>(&self, ids: &'a Ids) -> Option<&'a str> {
        ids.invoices.get(self.invoice as usize).map(String::as_str)
    }

    /// True when summary or comment holds `needle`, which must be in lower case.
    pub(crate) fn mentions(&self, needle: &str) -> bool {
        [&self.summary, &self.comment]
            .into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(needle))
    }

    /// The record as JSON.
    pub(crate) fn to_map(&self, ids: &Ids) -> Map {
        let mut map = Map::with_capacity(12);
        let text = |text: &Option<Box<str>>| text.as_deref().map_or(Value::Null, Value::from);
        map.insert("id".into(), self.id().into());
        map.insert("type".into(), self.kind().into());
        map.insert("occurredAt".into(), instant(self.at).into());
        map.insert(
            "client".into(),
            ids.clients[self.client as usize].as_str().into(),
        );
        map.insert(
            "piano".into(),
            ids.pianos
                .get(self.piano as usize)
                .map_or(Value::Null, |id| id.as_str().into()),
        );
        map.insert(
            "user".into(),
            ids.users
                .get(self.user as usize)
                .map_or(Value::Null, |id| id.as_str().into()),
        );
        map.insert("summary".into(), text(&self.summary));
        map.insert("comment".into(), text(&self.comment));
        if let Some(invoice) = self.invoice(ids) {
            map.insert("invoice".into(), invoice.into());
            map.insert("relatedId".into(), invoice.into());
            map.insert("relatedType".into(), json!("Invoice"));
        }
        if self.kind().starts_with("CONTACT_EMAIL") {
            map.insert("emailStatus".into(), json!("DELIVERED"));
        }
        map
    }
}
