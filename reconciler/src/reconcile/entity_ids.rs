//! Ids of new entities: the record's own id where no other entity has it.

use std::collections::HashSet;

use sqlx::PgConnection;

use crate::definition::Definition;
use crate::identities::{self, Taken};

/// The id that an entity made of a record would have.
pub(crate) struct EntityId {
    pub(crate) id: String,
    /// Whether a row stands there that no record has made: the record is that row.
    pub(crate) stands: bool,
}

/// The ids of entities made of these records, in their order: the record's own id, unless another record's
/// entity has it; then with the source in front, then with the module too, then with a number behind. No two
/// are the same.
pub(crate) async fn free_ids(
    conn: &mut PgConnection,
    definition: &Definition,
    raws: &[&str],
) -> sqlx::Result<Vec<EntityId>> {
    let entity = definition.entity();
    let taken = identities::taken_ids(conn, entity, raws).await?;
    let prefixed: Vec<String> = raws
        .iter()
        // An id of that form may be what another record of the batch is given.
        .filter(|raw| taken.by_record.contains(**raw) || raw.contains(':'))
        .flat_map(|raw| candidates(definition, raw).take(6))
        .collect();
    let further: Vec<&str> = prefixed.iter().map(String::as_str).collect();
    let further = identities::taken_ids(conn, entity, &further).await?;
    let mut given: HashSet<String> = HashSet::new();
    Ok(raws
        .iter()
        .map(|raw| choose(definition, raw, &taken, &further, &mut given))
        .collect())
}

fn choose(
    definition: &Definition,
    raw: &str,
    taken: &Taken,
    further: &Taken,
    given: &mut HashSet<String>,
) -> EntityId {
    let stands = taken.by_hand.contains(raw);
    let own = (!taken.by_record.contains(raw)).then(|| raw.to_owned());
    let id = own.filter(|id| !given.contains(id)).unwrap_or_else(|| {
        let mut rest = candidates(definition, raw);
        // The candidates have no end, so there is always another one.
        rest.find(|id| further.is_free(id) && !given.contains(id))
            .unwrap_or_else(|| raw.to_owned())
    });
    given.insert(id.clone());
    EntityId { id, stands }
}

/// Ids for a record whose own id is taken.
fn candidates(definition: &Definition, raw: &str) -> impl Iterator<Item = String> {
    let source = definition.module.source.clone();
    let long = format!("{source}:{}:{raw}", definition.name());
    let first = [format!("{source}:{raw}"), long.clone()];
    first
        .into_iter()
        .chain((2_u32..).map(move |n| format!("{long}~{n}")))
}
