//! What a wave of records comes to, gathered before any of it is written.

use staging::{ClaimTally, Report};

use super::folding::Fold;
use super::suspicion::Suspicions;
use crate::guard::Extent;
use crate::history::RowWrite;
use crate::identities::IdentityWrite;
use crate::matching::Key;

/// A record of this module that named one entity and names another now.
pub(super) struct Move {
    pub(super) entity: String,
    pub(super) from: String,
    pub(super) into: String,
    pub(super) source_id: String,
}

/// Everything a wave is going to write.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) rows: Vec<RowWrite>,
    pub(super) identities: Vec<IdentityWrite>,
    /// Source ids whose identity is new: children may have waited for them.
    pub(super) arrived: Vec<String>,
    /// Entities whose keys are written anew, and the keys.
    pub(super) renewed: Vec<String>,
    pub(super) keys: Vec<(String, Key)>,
    pub(super) reports: Vec<Report>,
    /// Records that landed or stood well: their earlier problems are over.
    pub(super) settled: Vec<String>,
    /// Placeholders whose true record came.
    pub(super) unmasked: Vec<String>,
    /// Placeholders whose true record is another entity.
    pub(super) folds: Vec<Fold>,
    /// Children that their source gave to another parent.
    pub(super) moves: Vec<Move>,
    pub(super) parked: Vec<String>,
    pub(super) tally: ClaimTally,
    pub(super) extent: Extent,
    pub(super) suspicions: Suspicions,
}

impl Outcome {
    pub(super) fn same(&mut self, source_id: &str) {
        self.tally.same += 1;
        self.settled.push(source_id.to_owned());
    }

    pub(super) fn quarantined(&mut self, report: Report) {
        self.tally.quarantined += 1;
        self.reports.push(report);
    }

    /// Keys of a row as it will stand, with the hints of the record that speaks for it.
    pub(super) fn index(&mut self, entity_id: &str, keys: Vec<Key>, renew: bool) {
        if renew {
            self.renewed.push(entity_id.to_owned());
        }
        self.keys
            .extend(keys.into_iter().map(|key| (entity_id.to_owned(), key)));
    }
}

/// Adds what a wave counted to the run's counts.
pub(super) fn add(tally: &mut ClaimTally, wave: &ClaimTally) {
    tally.promoted += wave.promoted;
    tally.same += wave.same;
    tally.quarantined += wave.quarantined;
    tally.parked += wave.parked;
    tally.in_review += wave.in_review;
    tally.inserted += wave.inserted;
    tally.updated += wave.updated;
    tally.tombstoned += wave.tombstoned;
    tally.conflicts += wave.conflicts;
}
