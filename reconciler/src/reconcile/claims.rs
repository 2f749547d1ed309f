//! What a record claims now, given what it claimed before.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::transform::Transformed;
use crate::definition::Definition;
use crate::identities::Identity;
use crate::ownership::{Owner, is_empty};

/// A record's claim, and the columns of it that it does not mention any more.
pub(crate) struct NextClaim {
    pub(crate) claim: Map<String, Value>,
    pub(crate) kept: BTreeSet<String>,
}

/// What a record claims now. A column that is absent, null or empty keeps the value it had, unless the module
/// lets emptiness erase it or its parent is missing; a column that people own keeps its first value.
pub(crate) fn next_claim(
    definition: &Definition,
    before: Option<&Identity>,
    derived: bool,
    now: &mut Transformed,
) -> NextClaim {
    let mut claim = match before {
        // What a placeholder was made up of is nothing that its record says, and what is derived from a
        // record lives and dies with it.
        Some(identity) if !identity.is_placeholder() && !derived => identity.claim.clone(),
        _ => Map::new(),
    };
    let mut said = std::mem::take(&mut now.row.0);
    said.shift_remove("id");
    let mut kept = BTreeSet::new();
    for (column, value) in &claim {
        let is_kept = match said.get(column) {
            None => true,
            Some(_) if now.unlinked.contains(column) => false,
            Some(now) => is_empty(now) && !definition.ownership(column).erase,
        };
        if is_kept && !is_empty(value) {
            kept.insert(column.clone());
        }
    }
    for (column, value) in said {
        let is_first = claim.get(&column).is_none_or(Value::is_null);
        let is_local = definition.ownership(&column).own == Owner::Local;
        if !kept.contains(&column) && (is_first || !is_local) {
            claim.insert(column, value);
        }
    }
    NextClaim { claim, kept }
}
