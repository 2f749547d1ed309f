//! Frequencies of the values of an attribute.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::base::{Base, Column, NONE};

/// Shares of the values of an attribute among the records that have it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequencies {
    /// The number of records with a value.
    pub records: u64,
    /// The probability that two records agree by chance.
    pub agreement: f64,
    /// The share of an unlisted value.
    pub rest: f64,
    /// The shares of the frequent values.
    pub values: BTreeMap<String, f64>,
}

/// The maximum number of values in a model file.
const LISTED: usize = 4000;

impl Frequencies {
    /// Counts the values of an attribute among some records.
    pub fn among(base: &Base, attribute: usize, members: &[u32]) -> Self {
        let column = &base.columns[attribute];
        let mut counts = vec![0; column.len()];
        for id in members
            .iter()
            .flat_map(|record| base.of(attribute, *record))
        {
            counts[*id as usize] += 1;
        }
        Self::of(column, &counts)
    }

    fn of(column: &Column, counts: &[u32]) -> Self {
        let records: u64 = counts[1..].iter().map(|count| u64::from(*count)).sum();
        let total = records.max(1) as f64;
        let agreement = counts[1..]
            .iter()
            .map(|count| (f64::from(*count) / total).powi(2))
            .sum::<f64>();
        let mut frequent: Vec<u32> = (1..column.len() as u32)
            .filter(|id| counts[*id as usize] > 4)
            .collect();
        frequent.sort_by(|one, other| {
            counts[*other as usize]
                .cmp(&counts[*one as usize])
                .then_with(|| column.text(*one).cmp(column.text(*other)))
        });
        frequent.truncate(LISTED);
        let share = |id: &u32| f64::from(counts[*id as usize]) / total;
        let values: BTreeMap<String, f64> = frequent
            .iter()
            .map(|id| (column.text(*id).to_owned(), share(id)))
            .collect();
        let listed: u64 = frequent
            .iter()
            .map(|id| u64::from(counts[*id as usize]))
            .sum();
        let unlisted = (column.len() - 1).saturating_sub(frequent.len()).max(1) as f64;
        // A value seen once or twice is counted as three, because it may occur again.
        let rest = ((records - listed) as f64 / unlisted).max(3.0) / total;
        Self {
            records,
            agreement: agreement.max(1.0 / total.powi(2)),
            rest,
            values,
        }
    }

    /// The share of a value.
    pub fn share(&self, value: &str) -> f64 {
        self.values.get(value).copied().unwrap_or(self.rest)
    }

    /// The logarithms of the shares of a column's values.
    pub fn logarithms(&self, column: &Column) -> Vec<f32> {
        if column.len() < self.values.len() {
            let logarithm = |id: u32| match id {
                NONE => 0.0,
                id => self.share(column.text(id)).log2() as f32,
            };
            return (0..column.len() as u32).map(logarithm).collect();
        }
        // Only the most frequent values are listed.
        let listed = self.values.iter();
        let listed: FxHashMap<&str, f32> = listed
            .map(|(value, share)| (value.as_str(), share.log2() as f32))
            .collect();
        let rest = self.rest.log2() as f32;
        let logarithm = |id: u32| match id {
            NONE => 0.0,
            id => listed.get(column.text(id)).copied().unwrap_or(rest),
        };
        let ids = (0..column.len() as u32).into_par_iter();
        ids.with_min_len(1 << 12).map(logarithm).collect()
    }
}
