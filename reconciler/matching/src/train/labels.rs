//! Learns from labelled pairs: how far to trust each comparison, and how to correct each level.
//!
//! The weights come from all records, and labels correct them: a logistic regression with the score as
//! offset, and a Gaussian prior that holds every correction near zero, so that few labels change little.
//! Cross-validation on the labels chooses the strength of the prior. If no corrections predict unseen labels
//! better, the model stays unchanged.

use std::f64::consts::LN_2;

use super::decided::{Decided, Known, Label};
use super::logistic::{Row, fit};
use crate::base::Base;
use crate::compare::{Comparisons, Facts, MISSING};
use crate::model::{Model, Scorer, Sum, Thresholds};
use crate::profile::Layout;
use crate::scored::Scored;

/// The result of learning from labels.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lesson {
    /// The number of labels.
    pub labels: usize,
    /// The number of decided pairs left out because the comparisons have changed.
    pub unfit: usize,
    /// The gain in bits per label when a model predicts labels it has not seen, and its uncertainty: one
    /// standard error.
    pub gain: f64,
    /// The standard error of the gain.
    pub error: f64,
    /// Whether the model was changed: only if the gain exceeds its error.
    pub is_adopted: bool,
}

/// The prior standard deviations of the corrections: all scores of a population, in nats; the scale of a
/// comparison; a level, in nats. They come from the observed errors of models without labels, and only set
/// the unit for `FIRMNESS`.
const SHIFT: f64 = 1.0;
const SCALE: f64 = 0.2;
const LEVEL: f64 = 0.5;
/// The factors of the deviations that are tried.
const FIRMNESS: [f64; 3] = [0.25, 0.5, 1.0];
const FOLDS: usize = 5;
/// The minimum number of labels.
pub const FEWEST: usize = 25;

/// The meaning of the coefficients.
struct Places {
    populations: usize,
    /// The coefficient of the first level of each comparison.
    levels: Vec<usize>,
    width: usize,
}

impl Places {
    fn of(comparisons: &Comparisons) -> Self {
        let populations = comparisons.populations.len();
        let mut width = populations + comparisons.list.len();
        let levels = comparisons.list.iter().map(|comparison| {
            width += comparison.levels.len();
            width - comparison.levels.len()
        });
        Self {
            populations,
            levels: levels.collect(),
            width,
        }
    }

    fn deviations(&self, firmness: f64) -> Vec<f64> {
        let scales = self.populations + self.levels.len();
        let deviation = |at: usize| match at {
            at if at < self.populations => SHIFT,
            at if at < scales => SCALE,
            _ => LEVEL,
        };
        (0..self.width).map(|at| firmness * deviation(at)).collect()
    }
}

/// Corrects a model if that improves it; the order of labels and decided pairs does not matter.
pub fn learn(
    model: &mut Model,
    comparisons: &Comparisons,
    layout: &Layout,
    base: &Base,
    facts: &Facts,
    labels: &[Label],
    decided: &[Decided],
) -> Lesson {
    let mut labels: Vec<Label> = labels
        .iter()
        .map(|label| Label {
            one: label.one.min(label.other),
            other: label.one.max(label.other),
            ..*label
        })
        .collect();
    labels.sort_unstable_by_key(|label| (label.one, label.other, label.is_match));
    let places = Places::of(comparisons);
    let scorer = Scorer::new(model, comparisons, layout, base);
    let row = |known: &Known| {
        let part = |at: usize| {
            let level = known.pattern.level(at);
            scorer.part_of(known.population, at, level, known.rarity[at])
        };
        let mut sum = Sum(scorer.prior(known.population));
        (0..places.levels.len()).for_each(|at| sum.add(part(at)));
        let rival = if sum.0[1] > sum.0[2] { 1 } else { 2 };
        let mut features = vec![(known.population, 1.0)];
        for (at, first) in places.levels.iter().enumerate() {
            let level = known.pattern.level(at);
            if level != MISSING {
                let part = part(at);
                let weight = f64::from(part[0] - part[rival]) * LN_2;
                features.push((places.populations + at, weight));
                features.push((first + usize::from(level), 1.0));
            }
        }
        Row {
            known: f64::from(sum.score()) * LN_2,
            features,
            holds: known.is_match,
        }
    };
    let of_records = |label: &Label| Known::of_records(&scorer, comparisons, base, facts, label);
    let mut known: Vec<Known> = labels.iter().map(of_records).collect();
    let fitting = decided.iter();
    let fitting = fitting.filter_map(|d| Known::of_evidence(model, comparisons, layout, d));
    let mut fitting: Vec<Known> = fitting.collect();
    fitting.sort_unstable_by_key(|known| {
        let rarity = known.rarity.map(f32::to_bits);
        (known.pattern, rarity, known.is_match)
    });
    let unfit = decided.len() - fitting.len();
    known.extend(fitting);
    let rows: Vec<Row> = known.iter().map(row).collect();
    let (firmness, mut lesson) = validated(&rows, &places);
    lesson.unfit = unfit;
    lesson.is_adopted = rows.len() >= FEWEST && lesson.gain > lesson.error;
    if lesson.is_adopted {
        let all: Vec<&Row> = rows.iter().collect();
        correct(model, &places, &fit(&all, &places.deviations(firmness)));
    }
    lesson
}

/// The best strength of the prior, and how much better unseen labels are then predicted.
fn validated(rows: &[Row], places: &Places) -> (f64, Lesson) {
    let nothing = vec![0.0; places.width];
    let tried = FIRMNESS.map(|firmness| {
        let deviations = places.deviations(firmness);
        let mut gains = vec![0.0; rows.len()];
        for fold in 0..FOLDS {
            let others = rows.iter().enumerate().filter(|(at, _)| at % FOLDS != fold);
            let others: Vec<&Row> = others.map(|(_, row)| row).collect();
            let found = fit(&others, &deviations);
            for at in (fold..rows.len()).step_by(FOLDS) {
                let gain = rows[at].likelihood(&found) - rows[at].likelihood(&nothing);
                gains[at] = gain / LN_2;
            }
        }
        let count = rows.len().max(1) as f64;
        let mean = gains.iter().sum::<f64>() / count;
        let spread = gains.iter().map(|gain| (gain - mean).powi(2)).sum::<f64>() / count;
        let lesson = Lesson {
            labels: rows.len(),
            gain: mean,
            error: (spread / count).sqrt(),
            unfit: 0,
            is_adopted: false,
        };
        (firmness, lesson)
    });
    let first = tried[0];
    tried.into_iter().fold(first, |best, next| {
        if next.1.gain > best.1.gain {
            next
        } else {
            best
        }
    })
}

fn correct(model: &mut Model, places: &Places, coefficients: &[f64]) {
    for (number, population) in model.populations.iter_mut().enumerate() {
        population.shift += coefficients[number] / LN_2;
        for (at, comparison) in population.comparisons.iter_mut().enumerate() {
            let scale = (1.0 + coefficients[places.populations + at]).clamp(0.2, 2.0);
            comparison.scale *= scale;
            for (level, weights) in comparison.levels.iter_mut().enumerate() {
                weights.learnt =
                    weights.learnt * scale + coefficients[places.levels[at] + level] / LN_2;
            }
        }
    }
}

/// The pairs most worth labelling: half from the review range, half from the matches, because nobody reviews
/// errors among those. The selection depends on the pairs alone.
pub fn worth_asking(scored: &[Scored], thresholds: Thresholds, count: usize) -> Vec<(u32, u32)> {
    const LIKELY: f32 = 10.0;
    let among = |low: f32, high: f32, count: usize| {
        let within = scored
            .iter()
            .filter(|pair| (low..high).contains(&pair.score));
        let mut pairs: Vec<(u32, u32)> = within.map(|pair| (pair.one, pair.other)).collect();
        pairs.sort_unstable_by_key(|(one, other)| {
            let mixed = super::sample::mixed(u64::from(*one) << 32 | u64::from(*other));
            (mixed, *one, *other)
        });
        pairs.truncate(count);
        pairs
    };
    let certain = among(thresholds.is_match, thresholds.is_match + LIKELY, count / 2);
    let mut asked = among(
        thresholds.review,
        thresholds.is_match,
        count - certain.len(),
    );
    asked.extend(certain);
    asked
}
