//! What the database knows about the records of a batch. Only reads.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::context::Ctx;
use super::entity_ids::{EntityId, free_ids};
use super::references::Referring;
use crate::entity_resolution::{self, Candidate, Key, Said, Verdict, keys_of};
use crate::identities::{self, Identity};
use crate::parallel_map::parallel_map;

/// What the database knows about the records of a batch.
pub(crate) struct Known {
    pub(crate) identities: HashMap<String, Identity>,
    /// Who shares a key with the records that have no identity.
    pub(crate) candidates: HashMap<Key, Vec<Candidate>>,
    /// The ids that entities made of them would have.
    pub(crate) new_ids: HashMap<String, EntityId>,
    /// What people said of them.
    pub(crate) said: HashMap<String, Said>,
    /// What the scores say of those that nothing else decides.
    pub(crate) verdicts: HashMap<String, Verdict>,
}

/// Looks up the identities of records, and who shares a key with those that have none.
pub(crate) async fn look_up(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    records: &mut [Referring<'_>],
) -> sqlx::Result<Known> {
    let definition = ctx.definition;
    let ids: Vec<&str> = records
        .iter()
        .map(|of| of.record.source_id.as_str())
        .collect();
    let identities = identities::by_record(conn, definition, &ids).await?;
    let mut unknown: Vec<&mut Referring<'_>> = records
        .iter_mut()
        .filter(|of| {
            let identity = identities.get(&of.record.source_id);
            identity.is_none_or(Identity::is_placeholder)
        })
        .collect();
    let specs = &definition.spec.matching.keys;
    let keys = parallel_map(&unknown, |of| keys_of(specs, |column| of.row.value(column)));
    for (of, keys) in unknown.iter_mut().zip(keys) {
        of.row.keys = keys;
    }
    let keys: Vec<&Key> = unknown.iter().flat_map(|of| &of.row.keys).collect();
    let candidates = entity_resolution::candidates(conn, definition, &keys).await?;
    let new: Vec<&str> = unknown
        .iter()
        .map(|of| of.record.source_id.as_str())
        .collect();
    let ids = free_ids(conn, definition, &new).await?;
    let new_ids = new.iter().map(|id| (*id).to_owned()).zip(ids).collect();
    let said = entity_resolution::said(conn, definition, &new).await?;
    Ok(Known {
        said,
        verdicts: HashMap::new(),
        identities,
        candidates,
        new_ids,
    })
}
