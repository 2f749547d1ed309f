//! What every step of a reconciliation reads, and what a run comes to as it goes.

use std::collections::BTreeSet;

use serde_json::Value;
use staging::{ClaimTally, ProblemKind, Report};

use super::anomalies::Anomalies;
use crate::definition::{Definition, Definitions};
use crate::guard::{Extent, Guarded};
use crate::history::{Evidence, Sealed};
use crate::table_rules::TableRules;

use super::pending::StagedRecord;

/// Why a module cannot be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// Nothing of that name is loaded.
    #[error("no module is called `{0}`")]
    UnknownModule(String),
    /// The database.
    #[error("reconciling stopped at the database")]
    Sql(#[from] sqlx::Error),
}

/// How a module is reconciled after runs of it died: record by record where records are transformed, so that
/// the one that kills the process is known; and one record to a batch among those of a batch in which a run
/// died.
#[derive(Clone, Copy)]
pub struct Caution<'a> {
    /// Told of each record before it is transformed.
    pub handling: &'a (dyn Fn(&str) + Send + Sync),
    /// Told of the records of a batch before they are decided, and of none once they are.
    pub deciding: &'a (dyn Fn(&[&str]) + Send + Sync),
    /// The records of the batch in which a run died.
    pub suspects: &'a [String],
    /// The record that has killed the process often enough: it is set aside without being looked at.
    pub aside: Option<&'a str>,
}

/// For whom and in which run.
#[derive(Clone, Copy)]
pub struct Reconciling<'a> {
    /// All modules.
    pub definitions: &'a Definitions,
    /// The module.
    pub module: &'a str,
    /// The run.
    pub run_id: i64,
    /// Who promotes, for the ledger.
    pub actor: &'a str,
    /// Told after every batch how many records are decided.
    pub decided: &'a (dyn Fn(i64) + Send + Sync),
    /// Where earlier runs died.
    pub caution: Option<Caution<'a>>,
}

/// What became of the pending records.
#[derive(Debug)]
pub struct Reconciled {
    /// Every claimed record, in one state each.
    pub tally: ClaimTally,
    /// The change set, counted.
    pub extent: Extent,
    /// The changes that the guard looks at: what an approval is bound to.
    pub guarded: Guarded,
    /// The guard's objection, if it has one: roll back and ask a person.
    pub exceeded: Option<String>,
    /// The promotion; `None` when production stood as it should.
    pub promotion: Option<Sealed>,
}

/// What every step reads. Nothing in it changes while a module is reconciled.
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) definition: &'a Definition,
    pub(crate) table: &'a TableRules<'a>,
    pub(crate) run_id: i64,
    pub(crate) actor: &'a str,
    /// When the transaction began, as PostgreSQL writes it.
    pub(crate) now: &'a Value,
    /// Whether the definition is another than last time, so that records say other things than before of
    /// themselves.
    pub(crate) replays: bool,
    /// Whether no entity is there that a record could be but those of the module itself.
    pub(crate) stands_alone: bool,
    pub(crate) caution: Option<Caution<'a>>,
}

impl Ctx<'_> {
    /// A problem of a record of the module.
    pub(crate) fn report(
        &self,
        kind: ProblemKind,
        record: &StagedRecord,
        code: &str,
        why: &str,
    ) -> Report {
        self.report_of(kind, &record.source_id, &record.origin, code, why)
    }

    /// A problem of a record by its id and the module it is staged for.
    pub(crate) fn report_of(
        &self,
        kind: ProblemKind,
        source_id: &str,
        origin: &str,
        code: &str,
        why: &str,
    ) -> Report {
        Report {
            kind,
            module: self.definition.name().to_owned(),
            source_id: source_id.to_owned(),
            code: code.to_owned(),
            why: why.to_owned(),
            place: None,
            detail: serde_json::json!({ "origin": origin }),
            waits_for: None,
        }
    }

    /// The record that a change comes from.
    pub(crate) fn evidence(&self, record: &StagedRecord) -> Evidence {
        Evidence {
            module: record.origin.clone(),
            source_id: record.source_id.clone(),
            record_hash: record.hash.clone(),
            pass_id: record.pass_id,
            page: record.page,
        }
    }
}

/// What a run comes to as it goes.
#[derive(Default)]
pub(crate) struct Progress {
    /// The number of the promotion, once there is something to write.
    pub(crate) promotion: Option<i64>,
    pub(crate) tally: ClaimTally,
    pub(crate) extent: Extent,
    pub(crate) guarded: Guarded,
    pub(crate) anomalies: Anomalies,
    /// Records that land without the parent they wait for, to break a circle.
    pub(crate) unlinked: BTreeSet<String>,
    /// Whether records of this module became pending while it ran, since a parent among them arrived.
    pub(crate) woken: bool,
    /// Parked records this run has counted and may yet take up again.
    pub(crate) parked: BTreeSet<String>,
    /// Records that the database refused for a value that another row has: they are tried together at the
    /// end.
    pub(crate) refused: Vec<StagedRecord>,
}
