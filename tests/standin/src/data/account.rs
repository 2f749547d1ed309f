//! The whole account, made from its options.

use serde_json::Value;

use super::{Map, billing, day, events, people, pianos, timeline};
use crate::options::{Options, Volumes};

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
    pub(crate) timeline: Vec<timeline::Entry>,
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
