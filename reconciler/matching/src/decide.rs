//! Decides on scored pairs: which records are one, and which pairs a person must review.
//!
//! Pairs are processed in order of their scores, then of their records, so that the outcome depends neither
//! on the order of the pairs nor on the number of threads.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::model::Thresholds;
use crate::scored::Scored;
use crate::spec::DecideSpec;

/// Decisions of people; they overrule every score.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// Matching pairs, the lower number first.
    pub same: FxHashSet<(u32, u32)>,
    /// Pairs that do not match.
    pub different: FxHashSet<(u32, u32)>,
}

/// Why a pair needs a review.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The score lies between the thresholds.
    Score,
    /// Another partner that contradicts this one has nearly the same score.
    Margin,
    /// It would join records that contradict each other.
    Contradiction,
    /// The cluster would become too large.
    Size,
    /// The cluster would contain two records of a source without duplicates.
    Source,
}

/// A pair for review.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Review {
    /// The pair.
    pub pair: Scored,
    /// The reason.
    pub reason: Reason,
}

/// The outcome for a set of records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decisions {
    /// For each record, the lowest record of its cluster.
    pub clusters: Vec<u32>,
    /// The matched pairs that formed the clusters, best first.
    pub matches: Vec<Scored>,
    /// The pairs for review, best first.
    pub reviews: Vec<Review>,
}

/// The data about the records that a decision needs besides scores.
pub struct Surroundings<'a> {
    /// The number of records.
    pub records: u32,
    /// The source of each record; empty if unknown.
    pub sources: &'a [u32],
    /// Whether two records contradict each other in `individual` comparisons.
    pub contradict: &'a (dyn Fn(u32, u32) -> bool + Sync),
}

/// Decides on scored pairs.
pub fn decide(
    spec: &DecideSpec,
    thresholds: Thresholds,
    scored: &[Scored],
    links: &Links,
    around: &Surroundings,
) -> Decisions {
    let mut order: Vec<Scored> = scored
        .iter()
        .filter(|pair| {
            pair.score >= thresholds.review && !links.different.contains(&(pair.one, pair.other))
        })
        .copied()
        .collect();
    order.par_sort_unstable_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| (one.one, one.other).cmp(&(other.one, other.other)))
    });
    let certain = order.partition_point(|pair| pair.score >= thresholds.is_match);
    let mut clustering = Clustering::new(around, links, spec);
    let mut decisions = Decisions::default();
    let mut said: Vec<(u32, u32)> = links.same.iter().copied().collect();
    said.sort_unstable();
    for (one, other) in said {
        clustering.join(one, other);
    }
    let doubtful = if spec.one_to_one {
        runners_up(&order, spec.margin)
    } else {
        ambiguous(&order[..certain], spec.margin, around)
    };
    // Computed in parallel for all pairs; the clusters then grow one pair at a time.
    let apart: Vec<bool> = order[..certain]
        .par_iter()
        .map(|pair| (around.contradict)(pair.one, pair.other))
        .collect();
    for (at, pair) in order[..certain].iter().enumerate() {
        if clustering.root(pair.one) == clustering.root(pair.other) {
            continue;
        }
        let objection = match doubtful[at] {
            true => Some(Reason::Margin),
            false => clustering.objection(pair, apart[at]),
        };
        match objection {
            None => {
                clustering.join(pair.one, pair.other);
                decisions.matches.push(*pair);
            }
            Some(reason) => decisions.reviews.push(Review {
                pair: *pair,
                reason,
            }),
        }
    }
    decisions
        .reviews
        .extend(order[certain..].iter().map(|pair| Review {
            pair: *pair,
            reason: Reason::Score,
        }));
    decisions.clusters = (0..around.records)
        .map(|record| clustering.root(record))
        .collect();
    let clusters = &decisions.clusters;
    let partnered = |record: u32| clustering.members.contains_key(&clusters[record as usize]);
    decisions.reviews.retain(|review| {
        let apart = clusters[review.pair.one as usize] != clusters[review.pair.other as usize];
        // If a record has at most one partner, a pair with an already matched record needs no review.
        apart
            && !(spec.one_to_one
                && review.reason == Reason::Score
                && (partnered(review.pair.one) || partnered(review.pair.other)))
    });
    decisions
}

/// Filters pairs, sorted best first, to those in which each record is the other's best; for tables without
/// duplicates.
pub fn assigned(scored: &[Scored]) -> Vec<Scored> {
    let mut order = scored.to_vec();
    order.sort_unstable_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| (one.one, one.other).cmp(&(other.one, other.other)))
    });
    let mut taken: FxHashSet<u32> = FxHashSet::default();
    order.retain(|pair| {
        let free = !taken.contains(&pair.one) && !taken.contains(&pair.other);
        if free {
            taken.extend([pair.one, pair.other]);
        }
        free
    });
    order
}

/// The pairs with a record that has another partner with nearly the same score, if each has at most one.
fn runners_up(order: &[Scored], margin: f32) -> Vec<bool> {
    let mut best: FxHashMap<u32, Vec<f32>> = FxHashMap::default();
    for pair in order {
        for record in [pair.one, pair.other] {
            let scores = best.entry(record).or_default();
            if scores.len() < 2 {
                scores.push(pair.score);
            }
        }
    }
    let close = |record: &u32| {
        best[record]
            .get(1)
            .is_some_and(|second| best[record][0] - second < margin)
    };
    order
        .iter()
        .map(|pair| close(&pair.one) || close(&pair.other))
        .collect()
}

/// The pairs with a record that has another partner with nearly the same score that contradicts this one.
fn ambiguous(order: &[Scored], margin: f32, around: &Surroundings) -> Vec<bool> {
    const PARTNERS: usize = 6;
    const NONE: u32 = u32::MAX;
    // The best pairs of each record, by their positions in the order.
    let mut partners = vec![[NONE; PARTNERS]; around.records as usize];
    for (at, pair) in order.iter().enumerate() {
        for record in [pair.one, pair.other] {
            let list = &mut partners[record as usize];
            if let Some(free) = list.iter_mut().find(|place| **place == NONE) {
                *free = at as u32;
            }
        }
    }
    let of_record = |(record, list): (usize, &[u32; PARTNERS])| {
        let mut found = Vec::new();
        let known = list.iter().take_while(|at| **at != NONE);
        let known: Vec<(u32, &Scored)> = known.map(|at| (*at, &order[*at as usize])).collect();
        let partner = |pair: &Scored| pair.one ^ pair.other ^ record as u32;
        for (first, (at, one)) in known.iter().enumerate() {
            for (there, other) in &known[first + 1..] {
                let close = one.score - other.score < margin;
                if close && (around.contradict)(partner(one), partner(other)) {
                    found.extend([*at, *there]);
                }
            }
        }
        found
    };
    let found: Vec<u32> = partners
        .par_iter()
        .enumerate()
        .flat_map_iter(of_record)
        .collect();
    let mut doubtful = vec![false; order.len()];
    found
        .into_iter()
        .for_each(|at| doubtful[at as usize] = true);
    doubtful
}

struct Clustering<'a> {
    parents: Vec<u32>,
    members: FxHashMap<u32, Vec<u32>>,
    around: &'a Surroundings<'a>,
    links: &'a Links,
    spec: &'a DecideSpec,
}

impl<'a> Clustering<'a> {
    fn new(around: &'a Surroundings<'a>, links: &'a Links, spec: &'a DecideSpec) -> Self {
        Self {
            parents: (0..around.records).collect(),
            members: FxHashMap::default(),
            around,
            links,
            spec,
        }
    }

    /// The lowest record of a cluster.
    fn root(&mut self, record: u32) -> u32 {
        let mut at = record;
        while self.parents[at as usize] != at {
            let above = self.parents[self.parents[at as usize] as usize];
            self.parents[at as usize] = above;
            at = above;
        }
        at
    }

    fn cluster(&mut self, record: u32) -> Vec<u32> {
        let root = self.root(record);
        self.members
            .get(&root)
            .cloned()
            .unwrap_or_else(|| vec![root])
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        if one == other {
            return;
        }
        let (low, high) = (one.min(other), one.max(other));
        let moved = self.members.remove(&high).unwrap_or_else(|| vec![high]);
        self.members
            .entry(low)
            .or_insert_with(|| vec![low])
            .extend(moved);
        self.parents[high as usize] = low;
    }

    /// Why the clusters of a pair may not be joined; `apart` is whether the two records themselves contradict
    /// each other.
    fn objection(&mut self, pair: &Scored, apart: bool) -> Option<Reason> {
        let (one, other) = (self.cluster(pair.one), self.cluster(pair.other));
        let paired = |pair: (u32, u32)| (pair.0.min(pair.1), pair.0.max(pair.1));
        let crossing = || one.iter().flat_map(|a| other.iter().map(move |b| (*a, *b)));
        if self.spec.one_to_one && one.len() + other.len() > 2 {
            return Some(Reason::Source);
        }
        if crossing().any(|pair| self.links.different.contains(&paired(pair))) {
            return Some(Reason::Contradiction);
        }
        if one.len() + other.len() > self.spec.largest_cluster {
            return Some(Reason::Size);
        }
        if self.spec.source_is_unique && !self.around.sources.is_empty() {
            let source = |record: &u32| self.around.sources[*record as usize];
            let of_one: FxHashSet<u32> = one.iter().map(source).collect();
            if other.iter().any(|record| of_one.contains(&source(record))) {
                return Some(Reason::Source);
            }
        }
        let contradict = |(a, b): (u32, u32)| match paired((a, b)) == (pair.one, pair.other) {
            true => apart,
            false => (self.around.contradict)(a, b),
        };
        crossing().any(contradict).then_some(Reason::Contradiction)
    }
}

fn odds(probability: f64) -> f32 {
    (probability / (1.0 - probability)).log2() as f32
}

/// The review threshold.
pub fn review_score(spec: &DecideSpec) -> f32 {
    odds(spec.review.clamp(0.001, 0.999))
}

/// The thresholds for a wanted precision, from the model's own probabilities.
pub fn thresholds(spec: &DecideSpec, scored: &[Scored]) -> Thresholds {
    let mut scores: Vec<f32> = scored.iter().map(|pair| pair.score).collect();
    scores.par_sort_unstable_by(|one, other| other.total_cmp(one));
    let review = review_score(spec);
    // The mean precision of all matches is as wanted, and the least likely match is wrong at most five times
    // as often as that.
    let mut is_match = odds((1.0 - 5.0 * (1.0 - spec.precision)).clamp(0.5, 0.9999));
    let mut right = 0.0;
    let mut enough = f32::INFINITY;
    for (number, score) in scores.iter().enumerate() {
        right += 1.0 / (1.0 + f64::from(-score).exp2());
        // The mean only falls as lower probabilities are added.
        if right / ((number + 1) as f64) < spec.precision {
            break;
        }
        enough = *score;
    }
    if enough.is_finite() {
        is_match = is_match.max(enough);
    }
    Thresholds {
        is_match: is_match.max(review),
        review,
    }
}
