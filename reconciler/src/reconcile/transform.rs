//! From a staged record to a row: the transform, the contract's look at each field, the module's rules.

use serde_json::{Map, Value};
use staging::ProblemKind;

use super::change_set::ChangeSet;
use super::context::{Caution, Ctx};
use super::pending::StagedRecord;
use crate::definition::Definition;
use crate::entity_resolution::Key;
use crate::parallel_map::parallel_map;
use crate::{Rejection, Row};

/// A record's row: the contract's columns, and the `_columns` that serve matching alone.
#[derive(Debug, Clone)]
pub(crate) struct Transformed {
    pub(crate) row: Row,
    pub(crate) hints: Row,
    /// The exact keys of a record without an identity.
    pub(crate) keys: Vec<Key>,
    /// Rules that fired without setting the record aside, as (code, why).
    pub(crate) warnings: Vec<(String, String)>,
    /// References that are null because their parent is missing, and not because the source says nothing.
    pub(crate) unlinked: Vec<String>,
}

impl Transformed {
    /// What matching sees under a name: a hint, or a column of the row.
    pub(crate) fn value(&self, column: &str) -> Option<&Value> {
        self.hints.get(column).or_else(|| self.row.get(column))
    }

    /// Leaves a reference out until its parent comes.
    pub(crate) fn unlink(&mut self, column: &str) {
        self.row.set(column, Value::Null);
        self.unlinked.push(column.to_owned());
    }
}

/// Transforms a record, holds it against the contract and runs the module's rules. `None` where a record
/// of another module holds no row for this one.
pub(crate) fn transform(
    definition: &Definition,
    record: &StagedRecord,
) -> Result<Option<Transformed>, Rejection> {
    let Some(row) = definition.transform(&record.origin, record.text()?)? else {
        return Ok(None);
    };
    if record.source_id.starts_with("missing-id:") {
        return Err(Rejection::new(
            "id_missing",
            "The source sent a record without an id, so nothing can be matched to it; report it to the source.",
        ));
    }
    let (hints, mut row): (Map<_, _>, Map<_, _>) = row
        .0
        .into_iter()
        .partition(|(column, _)| column.starts_with('_'));
    row.insert("id".into(), record.source_id.clone().into());
    let mut row = definition.contract.check_partial(&Row(row))?;
    let warnings = definition.run_rules(&mut row)?;
    Ok(Some(Transformed {
        row,
        hints: Row(hints),
        keys: Vec::new(),
        warnings,
        unlinked: Vec::new(),
    }))
}

/// Records with their rows; those that are refused are quarantined, and those that hold no row here are
/// returned apart.
pub(crate) fn transform_all<'r>(
    ctx: &Ctx<'_>,
    records: &[&'r StagedRecord],
    set: &mut ChangeSet,
) -> (Vec<(&'r StagedRecord, Transformed)>, Vec<&'r StagedRecord>) {
    let (mut rows, mut without) = (Vec::with_capacity(records.len()), Vec::new());
    let definition = ctx.definition;
    let results = match &ctx.caution {
        None => parallel_map(records, |record| transform(definition, record)),
        Some(caution) => one_by_one(definition, records, caution),
    };
    for (&record, result) in records.iter().zip(results) {
        match result {
            Ok(Some(row)) => {
                for (code, why) in &row.warnings {
                    let report = ctx.report(ProblemKind::Task, record, code, why);
                    set.problems.push(report);
                }
                rows.push((record, row));
            }
            Ok(None) => without.push(record),
            Err(rejection) => set.quarantine(ctx, record, rejection),
        }
    }
    (rows, without)
}

/// What earlier runs died of is known by the record that was being handled.
fn one_by_one(
    definition: &Definition,
    records: &[&StagedRecord],
    caution: &Caution<'_>,
) -> Vec<Result<Option<Transformed>, Rejection>> {
    let one = |record: &&StagedRecord| {
        if caution.aside == Some(&record.source_id) {
            return Err(Rejection::new(
                "kills_the_process",
                "The process has died three times while it handled this record, so it is set aside. Look at it with `concord show --raw`, report it with the record, and correct it in the source; it is tried again when it or the module changes.",
            ));
        }
        (caution.handling)(&record.source_id);
        transform(definition, record)
    };
    let transformed = records.iter().map(one).collect();
    // From here on the batch dies together.
    let batch: Vec<&str> = records
        .iter()
        .map(|record| record.source_id.as_str())
        .filter(|id| caution.aside != Some(*id))
        .collect();
    (caution.deciding)(&batch);
    transformed
}
