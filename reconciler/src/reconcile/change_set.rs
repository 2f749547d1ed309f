//! Everything a batch of records would write, as a value: it can be counted, shown, saved and applied.

use std::collections::BTreeSet;

use serde::Serialize;
use staging::{ClaimTally, ProblemKind, Report};

use super::anomalies::Anomalies;
use super::context::Ctx;
use super::pending::StagedRecord;
use crate::Rejection;
use crate::entity_resolution::Key;
use crate::guard::{Extent, Guarded};
use crate::history::{Evidence, Operation};
use crate::identities::IdentityChange;
use crate::image::Image;
use crate::overrides::OverrideChange;

/// One row as it stands and as it shall be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RowChange {
    /// The table.
    pub(crate) entity: String,
    /// The row's `id`.
    pub(crate) entity_id: String,
    /// The row as it was found; `None`: it is not there.
    pub(crate) before: Option<Image>,
    /// All its columns (one that is not named keeps its value); `None` removes the row.
    pub(crate) after: Option<Image>,
    /// What that means.
    pub(crate) operation: Operation,
    /// Where it comes from.
    pub(crate) evidence: Option<Evidence>,
}

/// A record of this module that named one parent and names another now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Move {
    pub(crate) entity: String,
    pub(crate) from: String,
    pub(crate) into: String,
    pub(crate) source_id: String,
}

/// The exact keys of an entity.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct EntityKeys {
    pub(crate) entity_id: String,
    pub(crate) keys: Vec<Key>,
    /// Whether they replace those it had.
    pub(crate) renew: bool,
}

/// A placeholder whose true record is another entity.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Fold {
    pub(crate) from: String,
    pub(crate) into: String,
    pub(crate) evidence: Evidence,
}

/// Everything a batch would write.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ChangeSet {
    /// Rows of production.
    pub(crate) rows: Vec<RowChange>,
    /// Who is who.
    pub(crate) identities: Vec<IdentityChange>,
    /// What people and restores decided, with the rows whose edits were taken up.
    pub(crate) overrides: Vec<OverrideChange>,
    pub(crate) edited: Vec<(String, String)>,
    /// Exact keys of entities of the module's table.
    pub(crate) keys: Vec<EntityKeys>,
    /// Problems to report.
    pub(crate) problems: Vec<Report>,
    /// Records that landed or stood well: their earlier problems are over.
    pub(crate) settled: Vec<String>,
    /// Records whose placeholder was theirs: nobody need look for them any more.
    pub(crate) unmasked: Vec<String>,
    /// Records whose conflicts are over, by the column.
    pub(crate) reconciled: Vec<(String, String)>,
    /// Records that children may have waited for.
    pub(crate) arrived: Vec<String>,
    /// Placeholders to be absorbed once the rest is written.
    pub(crate) folds: Vec<Fold>,
    /// Children that their source gave to another parent.
    pub(crate) moves: Vec<Move>,
    /// Records that wait for a parent.
    pub(crate) parked: Vec<String>,
    /// The records that are counted here, in one state each.
    #[serde(skip)]
    pub(crate) tally: ClaimTally,
    /// Changes of rows that stood before.
    pub(crate) extent: Extent,
    #[serde(skip)]
    pub(crate) guarded: Guarded,
    #[serde(skip)]
    pub(crate) anomalies: Anomalies,
}

impl ChangeSet {
    /// Whether applying it takes a promotion of its own number.
    pub(crate) fn promotes(&self) -> bool {
        let assigns = |change: &IdentityChange| matches!(change, IdentityChange::Assign(_));
        !self.rows.is_empty() || self.identities.iter().any(assigns)
    }

    /// A record whose row stands as it should.
    pub(crate) fn same(&mut self, source_id: &str) {
        self.tally.same += 1;
        self.settled.push(source_id.to_owned());
    }

    /// A record that the contract or a rule refuses.
    pub(crate) fn quarantine(
        &mut self,
        ctx: &Ctx<'_>,
        record: &StagedRecord,
        rejection: Rejection,
    ) {
        let mut report = ctx.report(
            ProblemKind::Quarantine,
            record,
            &rejection.code,
            &rejection.why,
        );
        report.place = rejection.at;
        self.tally.quarantined += 1;
        self.problems.push(report);
    }

    /// The tables whose rows it changes.
    pub(crate) fn tables(&self) -> BTreeSet<&str> {
        self.rows.iter().map(|row| row.entity.as_str()).collect()
    }
}

/// Adds the counts of a batch to those of the run.
pub(crate) fn add(tally: &mut ClaimTally, batch: &ClaimTally) {
    tally.promoted += batch.promoted;
    tally.same += batch.same;
    tally.quarantined += batch.quarantined;
    tally.parked += batch.parked;
    tally.in_review += batch.in_review;
    tally.inserted += batch.inserted;
    tally.updated += batch.updated;
    tally.tombstoned += batch.tombstoned;
    tally.conflicts += batch.conflicts;
}
