//! Learning from labels: only what they prove, and the same in any order.

use std::collections::HashMap;

use super::records::{Outcome, matched, rows, written};
use crate::decide::Links;
use crate::explain::explain;
use crate::model::Model;
use crate::train::{Decided, Label, Lesson, learn, worth_asking};

/// Test records, and the person of each.
fn households(name: &str) -> (Outcome, Vec<usize>) {
    let rows = rows();
    let outcome = matched(&written(&rows, name), &Links::default());
    let person: HashMap<&str, usize> = rows
        .iter()
        .map(|row| (row.id.as_str(), row.person))
        .collect();
    let of = outcome.batch.ids.iter().map(|id| person[&**id]).collect();
    (outcome, of)
}

/// Every n-th scored pair, decided by the truth.
fn labels(outcome: &Outcome, person: &[usize], nth: usize) -> Vec<Label> {
    let label = |pair: &crate::batch::Scored| Label {
        one: pair.one,
        other: pair.other,
        is_match: person[pair.one as usize] == person[pair.other as usize],
    };
    outcome.scored.iter().step_by(nth).map(label).collect()
}

fn taught(outcome: &Outcome, model: &Model, labels: &[Label]) -> (Model, Lesson) {
    let mut model = model.clone();
    let batch = &outcome.batch;
    let lesson = learn(
        &mut model,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
        &batch.facts,
        labels,
        &[],
    );
    (model, lesson)
}

/// The number of scored pairs on the wrong side of even odds.
fn wrong(outcome: &Outcome, model: &Model, person: &[usize]) -> usize {
    let scored = outcome.batch.score(model, f32::MIN);
    let is_wrong = |pair: &&crate::batch::Scored| {
        let is_match = person[pair.one as usize] == person[pair.other as usize];
        (pair.score > 0.0) != is_match
    };
    scored.iter().filter(is_wrong).count()
}

#[test]
fn labels_correct_a_model_that_trusts_the_wrong_comparison() {
    let (outcome, person) = households("labels-wrong");
    // A model that matches all records with the same telephone number.
    let mut credulous = outcome.model.clone();
    for comparison in &mut credulous.populations[0].comparisons {
        if comparison.comparison == "given name" {
            comparison.scale = 0.2;
        }
    }
    credulous.populations[0].shift = 4.0;
    let before = wrong(&outcome, &credulous, &person);
    let (better, lesson) = taught(&outcome, &credulous, &labels(&outcome, &person, 5));
    assert!(lesson.is_adopted && lesson.gain > 0.1, "{lesson:?}");
    let after = wrong(&outcome, &better, &person);
    assert!(
        after * 4 < before,
        "{after} pairs are wrong after {before} were"
    );
}

#[test]
fn the_order_of_labels_and_of_their_records_does_not_matter() {
    let (outcome, person) = households("labels-order");
    let mut list = labels(&outcome, &person, 3);
    let mut model = outcome.model.clone();
    model.populations[0].shift = 3.0;
    let first = taught(&outcome, &model, &list);
    list.reverse();
    for label in list.iter_mut().step_by(2) {
        (label.one, label.other) = (label.other, label.one);
    }
    assert!(first.1.is_adopted, "{:?}", first.1);
    assert_eq!(first, taught(&outcome, &model, &list));
}

#[test]
fn what_labels_do_not_prove_changes_nothing() {
    let (outcome, person) = households("labels-few");
    let mut random = labels(&outcome, &person, 4);
    // Random labels for pairs of even odds teach nothing.
    let mut even = outcome.model.clone();
    for comparison in &mut even.populations[0].comparisons {
        comparison.scale = 0.0;
    }
    let coins = |at: usize| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1;
    let share = f64::from(outcome.model.populations[0].matching as f32).log2();
    even.populations[0].shift = -share;
    even.populations[0].related = 1e-13;
    for (at, label) in random.iter_mut().enumerate() {
        label.is_match = coins(at);
    }
    let (after, lesson) = taught(&outcome, &even, &random);
    assert!(!lesson.is_adopted, "{lesson:?}");
    assert_eq!(after, even);
    for few in [0, 3, 20] {
        let few = &labels(&outcome, &person, 2)[..few];
        let (after, lesson) = taught(&outcome, &outcome.model, few);
        assert_eq!((after, lesson.is_adopted), (outcome.model.clone(), false));
    }
}

#[test]
fn half_of_the_questions_are_matches_as_they_stand() {
    let (outcome, _) = households("labels-asked");
    let thresholds = outcome.model.thresholds;
    let score: HashMap<(u32, u32), f32> = outcome
        .scored
        .iter()
        .map(|pair| ((pair.one, pair.other), pair.score))
        .collect();
    let asked = worth_asking(&outcome.scored, thresholds, 8);
    let certain = asked
        .iter()
        .filter(|pair| score[*pair] >= thresholds.is_match);
    assert!(certain.count() <= 4);
    assert!(asked.iter().all(|pair| score[pair] >= thresholds.review));
    let mut backwards = outcome.scored.clone();
    backwards.reverse();
    assert_eq!(asked, worth_asking(&backwards, thresholds, 8));
}

#[test]
fn what_was_shown_to_whom_decided_teaches_the_same_as_the_records_themselves() {
    let (outcome, person) = households("labels-shown");
    let labels = labels(&outcome, &person, 3);
    let mut model = outcome.model.clone();
    model.populations[0].shift = 3.0;
    let (by_records, lesson) = taught(&outcome, &model, &labels);
    assert!(lesson.is_adopted, "{lesson:?}");
    let batch = &outcome.batch;
    let shown = |label: &Label| {
        let explanation = explain(batch, &model, label.one, label.other);
        let written = serde_json::to_value(explanation).expect("JSON");
        Decided {
            evidence: serde_json::from_value(written).expect("evidence"),
            is_match: label.is_match,
        }
    };
    let mut decided: Vec<Decided> = labels.iter().map(shown).collect();
    let learnt = |decided: &[Decided]| {
        let mut model = model.clone();
        let (comparisons, layout) = (&batch.comparisons, &batch.layout);
        let lesson = learn(
            &mut model,
            comparisons,
            layout,
            &batch.base,
            &batch.facts,
            &[],
            decided,
        );
        (model, lesson)
    };
    let (by_evidence, lesson) = learnt(&decided);
    assert!(lesson.is_adopted, "{lesson:?}");
    assert_eq!((lesson.labels, lesson.unfit), (labels.len(), 0));
    let of = |model: &Model| {
        (
            model.populations[0].shift,
            model.populations[0].comparisons[0].scale,
        )
    };
    let ((shift, scale), (other_shift, other_scale)) = (of(&by_records), of(&by_evidence));
    assert!((shift - other_shift).abs() < 0.3, "{shift} {other_shift}");
    assert!((scale - other_scale).abs() < 0.2, "{scale} {other_scale}");
    decided.reverse();
    assert_eq!(learnt(&decided).0, by_evidence, "in whatever order");
    for one in &mut decided {
        one.evidence.steps[0].comparison.push('?');
    }
    let (after, lesson) = learnt(&decided);
    assert_eq!((lesson.labels, lesson.unfit), (0, labels.len()));
    assert_eq!(
        after, model,
        "what other comparisons showed teaches nothing"
    );
}
