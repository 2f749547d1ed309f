//! The guard: the whole change set is counted before any of it is committed, and too much at once waits
//! for a person.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::equality::canonical;

/// What a module may do to production without asking, in percent of the live rows of its table. Up to
/// `free` rows of each sort are let through, since percentages of small tables mean nothing;
/// a deletion that takes most of a table never is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Share of live rows that may be marked deleted at once.
    pub delete_percent: f64,
    /// Share of live rows in which a column that held something may be erased, or be empty or left out at the
    /// source.
    pub erase_percent: f64,
    /// Share of live rows that may change.
    pub change_percent: f64,
    /// Rows of each sort that are always let through.
    pub free: i64,
}

impl Default for Guard {
    fn default() -> Self {
        Self {
            delete_percent: 5.0,
            erase_percent: 5.0,
            change_percent: 50.0,
            free: 10,
        }
    }
}

/// A change set, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// Live rows before.
    pub live: i64,
    /// Rows to be marked deleted.
    pub deleted: i64,
    /// Rows in which something is erased.
    pub erased: i64,
    /// Rows changed, erased ones included.
    pub changed: i64,
    /// Records that are nothing like what stood under their id.
    #[serde(default)]
    pub contradicted: i64,
    /// Records in which the source says nothing any more, in the column where they are most; their values
    /// stay.
    #[serde(default)]
    pub emptied: i64,
}

impl Extent {
    /// Adds the rows of another part of the same change set.
    pub(crate) fn add(&mut self, other: &Extent) {
        self.deleted += other.deleted;
        self.erased += other.erased;
        self.changed += other.changed;
    }
}

/// Rows named in a request for approval, at most.
const LISTED: usize = 1_000;

/// The changes of rows that stood before: what an approval is bound to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded {
    /// The sum of a digest of each change, so that the order in which they are met does not matter.
    lanes: [u64; 4],
    /// The first of them, as `operation table/id`.
    pub rows: Vec<String>,
}

impl Guarded {
    /// Adds a change: what happens to a row, and the columns that change.
    pub(crate) fn add(
        &mut self,
        entity: &str,
        entity_id: &str,
        operation: &str,
        changes: &Map<String, Value>,
    ) {
        let name = format!("{operation} {entity}/{entity_id}");
        self.count(&format!("{name}\n{}", canonical(changes)));
        if self.rows.len() < LISTED {
            self.rows.push(name);
        }
    }

    /// Adds what else is objected to.
    pub(crate) fn add_anomalies(&mut self, anomalies: &[String]) {
        for anomaly in anomalies {
            self.count(anomaly);
        }
    }

    fn count(&mut self, text: &str) {
        let digest = Sha256::digest(text);
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks(8)) {
            let part = bytes
                .iter()
                .fold(0, |part, byte| part << 8 | u64::from(*byte));
            *lane = lane.wrapping_add(part);
        }
    }

    /// Adds another part of the same change set.
    pub(crate) fn merge(&mut self, other: Guarded) {
        for (lane, part) in self.lanes.iter_mut().zip(other.lanes) {
            *lane = lane.wrapping_add(part);
        }
        let room = LISTED - self.rows.len();
        self.rows.extend(other.rows.into_iter().take(room));
    }

    /// A text that is the same for the same changes and no others.
    pub fn digest(&self) -> String {
        let lanes = self.lanes.iter().map(|lane| format!("{lane:016x}"));
        lanes.collect()
    }
}

/// Which limit a change set exceeds, as a sentence; `None` when it may pass.
pub fn exceeded(guard: &Guard, extent: &Extent) -> Option<String> {
    if empties(extent) {
        let Extent { deleted, live, .. } = extent;
        return Some(format!(
            "This run would mark {deleted} of {live} rows as deleted, which leaves little of the table."
        ));
    }
    let sorts = [
        ("mark", "as deleted", extent.deleted, guard.delete_percent),
        ("erase values in", "", extent.erased, guard.erase_percent),
        ("change", "", extent.changed, guard.change_percent),
    ];
    sorts.into_iter().find_map(|(verb, how, rows, percent)| {
        let share = share(rows, extent.live);
        (rows > guard.free && share > percent).then(|| {
            let what = format!("{verb} {rows} of {} rows {how}", extent.live);
            format!(
                "This run would {} ({share:.1} %, allowed {percent} %).",
                what.trim()
            )
        })
    })
}

/// Whether a change set takes most of a table away, however small the table is.
fn empties(extent: &Extent) -> bool {
    let (deleted, live) = (extent.deleted, extent.live);
    (deleted > 1 && deleted >= live) || (deleted > 2 && deleted * 4 >= live * 3)
}

/// A share in percent.
pub(crate) fn share(rows: i64, live: i64) -> f64 {
    100.0 * rows as f64 / live.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_bite_above_the_free_rows_only() {
        let of = |live, deleted, erased, changed| Extent {
            live,
            deleted,
            erased,
            changed,
            ..Extent::default()
        };
        let cases = [
            ("nothing", of(1_000, 0, 0, 0), false),
            ("ten of ten deleted empty the table", of(10, 10, 0, 0), true),
            ("eight of ten deleted leave little", of(10, 8, 0, 0), true),
            ("seven of ten deleted are free", of(10, 7, 0, 0), false),
            ("one of one deleted is free", of(1, 1, 0, 0), false),
            ("two of two deleted empty the table", of(2, 2, 0, 0), true),
            ("eleven of twenty deleted", of(20, 11, 0, 0), true),
            ("five percent deleted", of(1_000, 50, 0, 0), false),
            ("six percent deleted", of(1_000, 60, 0, 0), true),
            ("six percent erased", of(1_000, 0, 60, 60), true),
            ("half changed", of(1_000, 0, 0, 500), false),
            ("all changed", of(1_000, 0, 0, 1_000), true),
            (
                "first load changes nothing that stood",
                of(0, 0, 0, 0),
                false,
            ),
        ];
        for (label, extent, blocked) in cases {
            assert_eq!(
                exceeded(&Guard::default(), &extent).is_some(),
                blocked,
                "{label}"
            );
        }
    }
}
