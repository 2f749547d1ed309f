//! The guard: the whole change set is counted before any of it is committed, and too much at once waits
//! for a person.

use serde::{Deserialize, Serialize};

/// What a module may do to production without asking, in percent of the live rows of its table. Up to
/// `free` rows of each sort are always let through, since percentages of small tables mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Share of live rows that may be marked deleted at once.
    pub delete_percent: f64,
    /// Share of live rows in which a column that held something may be erased, or be empty or left out at the source.
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
    /// Records in which the source says nothing any more, in the column where they are most; their values stay.
    #[serde(default)]
    pub emptied: i64,
}

/// Which limit a change set exceeds, as a sentence; `None` when it may pass.
pub fn exceeded(guard: &Guard, extent: &Extent) -> Option<String> {
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
            ("ten of ten deleted are free", of(10, 10, 0, 0), false),
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
