//! Who is who: which entity each record is, and what the record claims. Nothing else writes
//! `prod.identities`.

mod claim;
mod method;
mod read;
mod write;

pub(crate) use claim::Claim;
pub(crate) use method::Method;
pub(crate) use read::{
    Identity, Taken, by_entity, by_record, entities_of, parents_of, previous_claim, taken_ids,
};
pub(crate) use write::{Assigned, Claiming, IdentityChange, RecordId, rejoin, write};
