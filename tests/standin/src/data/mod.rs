//! The invented account: a pure function of seed, volumes and today.

mod account;
mod billing;
mod dice;
mod events;
mod names;
pub(crate) mod notes;
pub(crate) mod people;
mod pianos;
mod record;
pub(crate) mod timeline;

pub(crate) use account::{Account, Ids, World, account};
pub(crate) use record::{Map, day, instant, moment, object, working_hour};
