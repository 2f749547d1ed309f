//! Explains a pair: the levels it reached, with their weights.

use serde::Serialize;

use crate::batch::Batch;
use crate::compare::MISSING;
use crate::model::{Model, Scorer, Sum};

/// A step of the waterfall from the prior to the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The comparison.
    pub comparison: String,
    /// The level it reached; `None` if the comparison does not apply.
    pub level: Option<String>,
    /// The value whose frequency counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// How many bits it adds, against the likelier rival.
    pub weight: f32,
    /// How many of those bits come from the value's rarity.
    pub rarity: f32,
}

/// A class other than a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rival {
    /// Related: different entities of one household or group.
    Related,
    /// Unrelated.
    Unrelated,
}

/// The explanation of a pair's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The records.
    pub records: [String; 2],
    /// The population.
    pub population: String,
    /// The likelier of the two other classes.
    pub rival: Rival,
    /// The prior of a match, in bits.
    pub prior: f32,
    /// The comparisons in their order.
    pub steps: Vec<Step>,
    /// What is subtracted because the other rival is likely too.
    pub second_rival: f32,
    /// The logarithm of the odds.
    pub score: f32,
    /// The probability of a match.
    pub probability: f64,
    /// The best other partner of either record, and the margin of this pair.
    pub runner_up: Option<RunnerUp>,
    /// The blocking keys that the two share; `None` if there are none.
    pub keys: Vec<String>,
    /// The model's layout version and its number of records.
    pub model: String,
}

/// The best other partner.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunnerUp {
    /// The record whose partner it is.
    pub of: String,
    /// The partner.
    pub record: String,
    /// Its score.
    pub score: f32,
    /// The margin of the explained pair.
    pub margin: f32,
}

/// Explains a pair, whether or not it shares a blocking key.
pub fn explain(batch: &Batch, model: &Model, one: u32, other: u32) -> Explanation {
    let (one, other) = (one.min(other), one.max(other));
    let scorer = Scorer::new(model, &batch.comparisons, &batch.layout, &batch.base);
    let reached = batch
        .comparisons
        .reach(&batch.base, &batch.facts, one, other);
    let sum = scorer.sum(&reached);
    let [of_match, related, unrelated] = sum.0;
    let (rival, place) = if related > unrelated {
        (Rival::Related, 1)
    } else {
        (Rival::Unrelated, 2)
    };
    let prior = scorer.prior(reached.population);
    let steps = batch
        .comparisons
        .list
        .iter()
        .enumerate()
        .filter(|(_, comparison)| comparison.among[reached.population]);
    let steps = steps.map(|(at, comparison)| {
        let part = scorer.part(&reached, at);
        let level = reached.pattern.level(at);
        let declared = (level != MISSING).then(|| &comparison.levels[usize::from(level)]);
        let value = declared.and_then(|level| level.frequency).map(|attribute| {
            batch.base.columns[attribute]
                .text(reached.values[at])
                .to_owned()
        });
        let counts_rarity = rival == Rival::Unrelated || comparison.individual;
        Step {
            comparison: comparison.name.clone(),
            level: declared.map(|level| level.label.clone()),
            value: value.filter(|value| !value.is_empty()),
            weight: part[0] - part[place],
            rarity: if counts_rarity {
                scorer.rarity(&reached, at)
            } else {
                0.0
            },
        }
    });
    let mut partners = Vec::new();
    batch.blocks.partners(&batch.base, one, &mut partners);
    let bits = partners
        .iter()
        .find(|(partner, _)| *partner == other)
        .map_or(0, |(_, bits)| *bits);
    let keys = batch
        .blocks
        .keys
        .iter()
        .enumerate()
        .filter(|(at, _)| bits >> at & 1 == 1);
    Explanation {
        records: [one, other].map(|record| batch.ids[record as usize].to_string()),
        population: batch.comparisons.populations[reached.population].0.clone(),
        rival,
        prior: prior[0] - prior[place],
        steps: steps.collect(),
        second_rival: sum.score() - (of_match - related.max(unrelated)),
        score: sum.score(),
        probability: sum.probability(),
        runner_up: runner_up(batch, &scorer, one, other, sum),
        keys: keys.map(|(_, report)| report.key.clone()).collect(),
        model: format!("version {} of {} records", model.version, model.records),
    }
}

/// The best other partner of either record.
fn runner_up(batch: &Batch, scorer: &Scorer, one: u32, other: u32, sum: Sum) -> Option<RunnerUp> {
    let mut best: Option<(f32, u32, u32)> = None;
    for (of, apart) in [(one, other), (other, one)] {
        for partner in batch.blocks.all_partners(&batch.base, of) {
            if partner == apart {
                continue;
            }
            let reached = batch.comparisons.reach(
                &batch.base,
                &batch.facts,
                of.min(partner),
                of.max(partner),
            );
            let score = scorer.sum(&reached).score();
            if best.is_none_or(|(highest, ..)| score > highest) {
                best = Some((score, of, partner));
            }
        }
    }
    best.map(|(score, of, partner)| RunnerUp {
        of: batch.ids[of as usize].to_string(),
        record: batch.ids[partner as usize].to_string(),
        score,
        margin: sum.score() - score,
    })
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rival = match self.rival {
            Rival::Related => "another of the same household or group",
            Rival::Unrelated => "somebody unrelated",
        };
        writeln!(
            out,
            "{} and {} ({}), held against: {rival}",
            self.records[0], self.records[1], self.population
        )?;
        writeln!(out, "{:>8.1}  before any evidence", self.prior)?;
        for step in &self.steps {
            let level = step.level.as_deref().unwrap_or("nothing to compare");
            let rarity = match &step.value {
                Some(value) if step.rarity.abs() >= 0.05 => format!(
                    ", of which {:+.1} because \"{value}\" is {}",
                    step.rarity,
                    if step.rarity > 0.0 {
                        "rare"
                    } else {
                        "frequent"
                    }
                ),
                _ => String::new(),
            };
            writeln!(
                out,
                "{:>+8.1}  {}: {level}{rarity}",
                step.weight, step.comparison
            )?;
        }
        if self.second_rival < -0.05 {
            writeln!(
                out,
                "{:>+8.1}  the other rival is likely too",
                self.second_rival
            )?;
        }
        writeln!(
            out,
            "{:>8.1}  score, a probability of {:.4}",
            self.score, self.probability
        )?;
        match &self.runner_up {
            Some(next) => writeln!(
                out,
                "Next best: {} with {}, {:.1}; this pair is {:.1} ahead.",
                next.of, next.record, next.score, next.margin
            )?,
            None => writeln!(out, "Neither has another partner.")?,
        }
        match self.keys.as_slice() {
            [] => writeln!(out, "No blocking key brings them together.")?,
            keys => writeln!(out, "Brought together by: {}.", keys.join("; "))?,
        }
        write!(out, "Model: {}.", self.model)
    }
}
