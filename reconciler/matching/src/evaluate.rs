//! Measures scored pairs and clusters against known matches.

use std::path::Path;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::scored::Scored;
use crate::table::{Table, TableError};

/// The known truth about the records.
#[derive(Debug, Default)]
pub struct Gold {
    /// Matching pairs, the lower number first.
    pub pairs: FxHashSet<(u32, u32)>,
    /// The entity of each record, where known.
    pub entities: Vec<Option<u32>>,
    /// The household or group of each record, where known.
    pub groups: Vec<Option<u32>>,
}

impl Gold {
    /// Reads the pairs (`id_l`, `id_r`) and the optional truth (id, `entity_id`, `group_id`).
    pub fn read(ids: &[Box<str>], pairs: &Path, truth: Option<&Path>) -> Result<Self, TableError> {
        let places: FxHashMap<&str, u32> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| (&**id, at as u32))
            .collect();
        let table = Table::read(pairs, &["id_l".to_owned(), "id_r".to_owned()])?;
        let mut gold = Self::default();
        for record in 0..table.len() {
            if let (Some(one), Some(other)) = (
                places.get(table.value(record, 0)),
                places.get(table.value(record, 1)),
            ) {
                gold.pairs.insert((*one.min(other), *one.max(other)));
            }
        }
        if let Some(truth) = truth {
            let first = std::fs::read_to_string(truth).unwrap_or_default();
            let id = first
                .lines()
                .next()
                .and_then(|line| line.split(',').next())
                .unwrap_or_default()
                .to_owned();
            let table = Table::read(truth, &[id, "entity_id".to_owned(), "group_id".to_owned()])?;
            gold.entities = vec![None; ids.len()];
            gold.groups = vec![None; ids.len()];
            let mut names: [FxHashMap<String, u32>; 2] = Default::default();
            for record in 0..table.len() {
                let Some(place) = places.get(table.value(record, 0)) else {
                    continue;
                };
                for (column, list) in [&mut gold.entities, &mut gold.groups]
                    .into_iter()
                    .enumerate()
                {
                    let next = names[column].len() as u32;
                    list[*place as usize] = Some(
                        *names[column]
                            .entry(table.value(record, column + 1).to_owned())
                            .or_insert(next),
                    );
                }
            }
        }
        Ok(gold)
    }
}

/// Precision, recall and F1 at a threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quality {
    /// The threshold.
    pub threshold: f32,
    /// Precision: the share of the predicted matches that are right.
    pub precision: f64,
    /// Recall: the share of the known matches that are predicted.
    pub recall: f64,
    /// F1: their harmonic mean.
    pub f1: f64,
}

/// The quality of clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ClusterQuality {
    /// Precision: the share of the pairs within clusters that match.
    pub precision: f64,
    /// Recall: the share of the known matches that are within clusters.
    pub recall: f64,
    /// F1: their harmonic mean.
    pub f1: f64,
    /// The size of the largest cluster.
    pub largest: usize,
    /// Pairs of different entities of one household or group.
    pub hard_negatives: u64,
    /// Those that were wrongly clustered.
    pub hard_negatives_merged: u64,
    /// The share of those that were wrongly clustered.
    pub hard_negative_rate: f64,
}

/// Pairs within groups of equal labels.
fn pairs_within<T: std::hash::Hash + Eq>(labels: impl Iterator<Item = T>) -> (u64, usize) {
    let mut counts: FxHashMap<T, u64> = FxHashMap::default();
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    (
        counts.values().map(|count| count * (count - 1) / 2).sum(),
        counts.values().copied().max().unwrap_or(0) as usize,
    )
}

/// Measures clusters; `None` if the entities are unknown.
pub fn evaluate_clusters(gold: &Gold, clusters: &[u32]) -> Option<ClusterQuality> {
    if gold.entities.is_empty() {
        return None;
    }
    let known = || (0..clusters.len()).filter(|record| gold.entities[*record].is_some());
    let (together, largest) = pairs_within(known().map(|record| clusters[record]));
    let (matching, _) = pairs_within(known().map(|record| gold.entities[record]));
    let (right, _) = pairs_within(known().map(|record| (clusters[record], gold.entities[record])));
    let (precision, recall) = (
        right as f64 / together.max(1) as f64,
        right as f64 / matching.max(1) as f64,
    );
    let (in_group, _) = pairs_within(known().map(|record| gold.groups[record]));
    let (in_group_same, _) =
        pairs_within(known().map(|record| (gold.groups[record], gold.entities[record])));
    let (merged, _) = pairs_within(known().map(|record| (gold.groups[record], clusters[record])));
    let (merged_same, _) = pairs_within(
        known().map(|record| (gold.groups[record], gold.entities[record], clusters[record])),
    );
    let hard_negatives = in_group - in_group_same;
    Some(ClusterQuality {
        precision,
        recall,
        f1: 2.0 * precision * recall / (precision + recall).max(1e-12),
        largest,
        hard_negatives,
        hard_negatives_merged: merged - merged_same,
        hard_negative_rate: (merged - merged_same) as f64 / hard_negatives.max(1) as f64,
    })
}

/// The quality of scored pairs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evaluation {
    /// Known matches.
    pub gold: usize,
    /// Scored pairs.
    pub scored: usize,
    /// The share of the known matches that were scored.
    pub blocking_recall: f64,
    /// At the threshold with the best F1.
    pub best: Quality,
    /// The greatest recall at a precision of 99 %.
    pub recall_at_p99: f64,
    /// At fixed scores.
    pub at: Vec<Quality>,
}

/// Measures scored pairs, also at fixed thresholds.
pub fn evaluate(gold: &Gold, scored: &[Scored], fixed: &[f32]) -> Evaluation {
    let mut order: Vec<(f32, bool)> = scored
        .iter()
        .map(|pair| (pair.score, gold.pairs.contains(&(pair.one, pair.other))))
        .collect();
    order.sort_by(|one, other| other.0.total_cmp(&one.0));
    let total = gold.pairs.len().max(1) as f64;
    let mut evaluation = Evaluation {
        gold: gold.pairs.len(),
        scored: scored.len(),
        ..Evaluation::default()
    };
    let mut right = 0.0;
    let mut at = vec![Quality::default(); fixed.len()];
    for (number, (score, is_match)) in order.iter().enumerate() {
        right += f64::from(u8::from(*is_match));
        if order.get(number + 1).is_some_and(|next| next.0 == *score) {
            continue;
        }
        let (precision, recall) = (right / (number + 1) as f64, right / total);
        let f1 = 2.0 * precision * recall / (precision + recall).max(1e-12);
        let quality = Quality {
            threshold: *score,
            precision,
            recall,
            f1,
        };
        if f1 > evaluation.best.f1 {
            evaluation.best = quality;
        }
        if precision >= 0.99 {
            evaluation.recall_at_p99 = evaluation.recall_at_p99.max(recall);
        }
        for (at, fixed) in at.iter_mut().zip(fixed) {
            if score >= fixed {
                *at = Quality {
                    threshold: *fixed,
                    ..quality
                };
            }
        }
    }
    evaluation.blocking_recall = right / total;
    evaluation.at = at;
    evaluation
}
