//! The invented account: a pure function of seed, volumes and today.

mod billing;
pub(crate) mod dice;
mod events;
mod names;
pub mod notes;
pub(crate) mod people;
mod pianos;
pub(crate) mod timeline;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::options::{Options, Volumes};
use dice::Dice;
use timeline::Entry;

/// One JSON record.
pub type Map = serde_json::Map<String, Value>;

/// What every generator needs to know.
pub(crate) struct World {
    pub(crate) seed: u64,
    /// Today, in seconds since 1970.
    pub(crate) now: i64,
    pub(crate) volumes: Volumes,
}

/// Ids that compact timeline entries point to by number.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pub(crate) clients: Vec<String>,
    pub(crate) pianos: Vec<String>,
    pub(crate) users: Vec<String>,
    pub(crate) invoices: Vec<String>,
}

/// Everything the account holds at the start.
pub(crate) struct Account {
    pub(crate) ids: Ids,
    pub(crate) users: Vec<Map>,
    pub(crate) clients: Vec<Map>,
    pub(crate) pianos: Vec<Map>,
    pub(crate) measurements: Vec<Map>,
    pub(crate) events: Vec<Map>,
    pub(crate) invoices: Vec<Map>,
    pub(crate) estimates: Vec<Map>,
    pub(crate) timeline: Vec<Entry>,
    pub(crate) lists: Vec<(&'static str, Vec<Map>)>,
}

/// Generates the account.
pub(crate) fn account(options: &Options) -> Account {
    let world = World {
        seed: options.seed,
        now: options.now.as_second(),
        volumes: options.volumes(),
    };
    let users = people::users(&world);
    let technicians: Vec<String> = users.iter().take(7).map(id_of).collect();
    let unlisted = pianos::unlisted_owners(&world);
    let clients: Vec<Map> = (0..world.volumes.clients + unlisted)
        .map(|index| {
            let mut client = people::client(world.seed, world.now, index, &technicians);
            if index >= world.volumes.clients {
                client.insert(people::UNLISTED.into(), Value::Bool(true));
            }
            client
        })
        .collect();
    let client_ids: Vec<String> = clients.iter().map(id_of).collect();
    let (pianos, owners) = pianos::pianos(&world, &client_ids);
    let piano_ids: Vec<String> = pianos.iter().map(id_of).collect();
    let user_ids: Vec<String> = users.iter().map(id_of).collect();
    let links = events::Links {
        clients: &client_ids,
        pianos: &piano_ids,
        owners: &owners,
        users: &user_ids,
    };
    let invoices = billing::invoices(&world, &links);
    let account = Account {
        measurements: pianos::measurements(&world, &piano_ids),
        events: events::events(&world, &links),
        estimates: billing::estimates(&world, &links),
        timeline: timeline::timeline(&world, &owners, user_ids.len(), invoices.len()),
        lists: billing::lists(&world),
        ids: Ids {
            clients: client_ids,
            pianos: piano_ids,
            users: user_ids,
            invoices: invoices.iter().map(id_of).collect(),
        },
        users,
        clients,
        pianos,
        invoices,
    };
    with_activity(account)
}

/// Notes on each client and piano when its timeline was first and last touched, for the activity filters.
fn with_activity(mut account: Account) -> Account {
    let mut clients = vec![(i64::MAX, i64::MIN); account.clients.len()];
    let mut pianos = vec![(i64::MAX, i64::MIN); account.pianos.len()];
    for entry in &account.timeline {
        let spans = [
            clients.get_mut(entry.client as usize),
            pianos.get_mut(entry.piano as usize),
        ];
        for span in spans.into_iter().flatten() {
            *span = (span.0.min(entry.at), span.1.max(entry.at));
        }
    }
    for (records, spans) in [
        (&mut account.clients, clients),
        (&mut account.pianos, pianos),
    ] {
        for (record, (first, last)) in records.iter_mut().zip(spans) {
            if first <= last {
                record.insert("$firstActivity".into(), day(first).into());
                record.insert("$lastActivity".into(), day(last).into());
            }
        }
    }
    account
}

fn id_of(record: &Map) -> String {
    record["id"]
        .as_str()
        .expect("every generated record has an id")
        .to_owned()
}

/// The fields that are not null: a field that a record does not hold is answered as null.
pub(crate) fn object(value: Value) -> Map {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        _ => Map::new(),
    }
}

/// An instant as the vendor writes it, in UTC with `Z`.
pub(crate) fn instant(second: i64) -> String {
    moment(second).to_string()
}

/// The day of an instant, in UTC.
pub(crate) fn day(second: i64) -> String {
    moment(second).strftime("%Y-%m-%d").to_string()
}

pub(crate) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

/// A weekday-like working hour on the day of `second`.
pub(crate) fn working_hour(second: i64, dice: &mut Dice) -> i64 {
    let midnight = moment(second)
        .to_zoned(TimeZone::UTC)
        .start_of_day()
        .map_or(second, |day| day.timestamp().as_second());
    midnight + dice.between(13, 21) * 3_600 + dice.between(0, 3) * 900
}
