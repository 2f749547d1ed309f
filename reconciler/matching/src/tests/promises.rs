//! Symmetry, order and thread independence, idempotence, links that hold.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::records::{Outcome, SPEC, matched, rows, written};
use crate::batch::Scored;
use crate::compare::Comparisons;
use crate::decide::{Links, Surroundings, decide};
use crate::explain::explain;
use crate::model::{Model, Scorer, Thresholds};
use crate::profile::Layout;
use crate::spec::{DecideSpec, Spec};

/// Clusters as ids, independent of record numbers.
fn clusters(outcome: &Outcome) -> BTreeMap<String, String> {
    let id = |record: u32| outcome.batch.ids[record as usize].to_string();
    outcome
        .decisions
        .clusters
        .iter()
        .enumerate()
        .map(|(record, cluster)| (id(record as u32), id(*cluster)))
        .collect()
}

#[test]
fn households_stay_apart_and_copies_come_together() {
    let rows = rows();
    let outcome = matched(&written(&rows, "households"), &Links::default());
    let person: BTreeMap<&str, usize> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.person))
        .collect();
    let of = |record: u32| person[&*outcome.batch.ids[record as usize]];
    let wrong = outcome
        .decisions
        .matches
        .iter()
        .filter(|pair| of(pair.one) != of(pair.other))
        .count();
    assert_eq!(wrong, 0, "no two people became one");
    assert!(
        outcome.decisions.matches.len() > 300,
        "of 400 pairs only {} were found",
        outcome.decisions.matches.len()
    );
}

#[test]
fn the_order_of_the_records_does_not_matter() {
    let mut rows = rows();
    let first = matched(&written(&rows, "order-1"), &Links::default());
    rows.reverse();
    rows.rotate_left(137);
    let second = matched(&written(&rows, "order-2"), &Links::default());
    assert_eq!(first.model, second.model);
    assert_eq!(first.scored, second.scored);
    assert_eq!(clusters(&first), clusters(&second));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let path = written(&rows(), "threads");
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| matched(&path, &Links::default()))
    };
    let (one, four) = (with(1), with(4));
    assert_eq!(one.model, four.model);
    assert_eq!(one.scored, four.scored);
    assert_eq!(one.decisions, four.decisions);
}

#[test]
fn a_model_read_back_says_the_same() {
    let outcome = matched(&written(&rows(), "read-back"), &Links::default());
    let yaml: Model =
        serde_norway::from_str(&serde_norway::to_string(&outcome.model).expect("YAML"))
            .expect("a model");
    let json: Model = serde_json::from_str(&serde_json::to_string(&outcome.model).expect("JSON"))
        .expect("a model");
    assert_eq!(outcome.batch.score(&yaml, -20.0), outcome.scored);
    assert_eq!(outcome.batch.score(&json, -20.0), outcome.scored);
}

#[test]
fn scores_are_the_same_either_way_round() {
    let outcome = matched(&written(&rows(), "symmetry"), &Links::default());
    let batch = &outcome.batch;
    let scorer = Scorer::new(
        &outcome.model,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
    );
    for one in (0..batch.base.records).step_by(3) {
        for other in (one + 1..batch.base.records).step_by(17) {
            let score = |a, b| {
                scorer
                    .sum(&batch.comparisons.reach(&batch.base, &batch.facts, a, b))
                    .score()
            };
            assert_eq!(
                score(one, other).to_bits(),
                score(other, one).to_bits(),
                "{one} {other}"
            );
        }
    }
}

#[test]
fn what_people_said_holds() {
    let path = written(&rows(), "links");
    let free = matched(&path, &Links::default());
    let torn = free.decisions.matches[0];
    let strangers = (0, free.batch.base.records - 1);
    let mut links = Links::default();
    links.different.insert((torn.one, torn.other));
    links.same.insert(strangers);
    let bound = matched(&path, &links);
    let clusters = &bound.decisions.clusters;
    assert_ne!(clusters[torn.one as usize], clusters[torn.other as usize]);
    assert_eq!(
        clusters[strangers.0 as usize],
        clusters[strangers.1 as usize]
    );
    // Without the links the result is the same as before.
    assert_eq!(matched(&path, &Links::default()).decisions, free.decisions);
}

#[test]
fn rarity_counts_once_where_one_agreement_follows_from_another() {
    let declared = "  - comparison: city\n    beside: equal(name.surname)\n";
    let text = SPEC.replace("  - comparison: city\n", declared);
    let spec = Spec::parse(&text).expect("a specification");
    let comparisons = Comparisons::compile(&spec, &Layout::of(&spec)).expect("comparisons");
    let city = comparisons.list.last().expect("a comparison");
    let levels = city.levels.iter();
    let counted: Vec<(&str, bool)> = levels
        .map(|level| (level.label.as_str(), level.frequency.is_some()))
        .collect();
    let expected = [
        ("same", true),
        ("different", false),
        ("same beside", false),
        ("different beside", false),
    ];
    assert_eq!(counted, expected);
}

#[test]
fn every_pair_can_be_explained() {
    let outcome = matched(&written(&rows(), "explained"), &Links::default());
    let pair = outcome.scored[0];
    let told = explain(&outcome.batch, &outcome.model, pair.one, pair.other);
    let sum: f32 =
        told.prior + told.steps.iter().map(|step| step.weight).sum::<f32>() + told.second_rival;
    assert!((sum - told.score).abs() < 1e-3, "{sum} {}", told.score);
    assert_eq!(told.score.to_bits(), pair.score.to_bits());
    assert!(!told.keys.is_empty());
    let apart = (1..outcome.batch.base.records)
        .find(|other| {
            outcome
                .batch
                .blocks
                .all_partners(&outcome.batch.base, 0)
                .binary_search(other)
                .is_err()
        })
        .expect("a record that no key brings together with the first");
    let told = explain(&outcome.batch, &outcome.model, apart, 0);
    assert!(told.keys.is_empty());
    assert!(
        told.to_string()
            .contains("No blocking key brings them together."),
        "{told}"
    );
}

fn scored(one: u32, other: u32, score: f32) -> Scored {
    Scored {
        one: one.min(other),
        other: one.max(other),
        score,
        keys: 1,
    }
}

proptest! {
    #[test]
    fn decisions_do_not_depend_on_the_order_of_pairs(
        pairs in prop::collection::btree_map((0_u32..12, 0_u32..12), -5.0_f32..15.0, 1..40),
        forbidden in prop::collection::btree_set((0_u32..12, 0_u32..12), 0..4),
        one_to_one in any::<bool>(),
    ) {
        let list: BTreeMap<(u32, u32), f32> = pairs.into_iter().filter(|((a, b), _)| a != b).map(|((a, b), score)| ((a.min(b), a.max(b)), score)).collect();
        let list: Vec<Scored> = list.into_iter().map(|((a, b), score)| scored(a, b, score)).collect();
        let mut links = Links::default();
        links.different.extend(forbidden.into_iter().map(|(a, b)| (a.min(b), a.max(b))));
        let contradict = |a: u32, b: u32| (a + b).is_multiple_of(7);
        let around = Surroundings { records: 12, sources: &[], contradict: &contradict };
        let spec = DecideSpec { one_to_one, ..DecideSpec::default() };
        let thresholds = Thresholds { is_match: 4.0, review: -1.0 };
        let decisions = decide(&spec, thresholds, &list, &links, &around);
        let turned: Vec<Scored> = list.iter().rev().copied().collect();
        prop_assert_eq!(&decisions, &decide(&spec, thresholds, &turned, &links, &around));
        for (a, b) in &links.different {
            prop_assert!(a == b || decisions.clusters[*a as usize] != decisions.clusters[*b as usize]);
        }
        if one_to_one {
            for root in 0..12 {
                prop_assert!(decisions.clusters.iter().filter(|cluster| **cluster == root).count() <= 2);
            }
        }
        for pair in &decisions.matches {
            prop_assert!(pair.score >= 4.0 && !contradict(pair.one, pair.other));
        }
    }
}
