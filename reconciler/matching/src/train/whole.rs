//! The whole training.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{em, guess, sample};
use crate::base::Base;
use crate::blocking::{Blocks, Key};
use crate::compare::{Comparisons, Facts};
use crate::model::{Frequencies, Model};
use crate::normalise::Lexicon;
use crate::profile::Layout;
use crate::spec::Spec;

/// Trains a model on the records of a base.
#[allow(clippy::too_many_arguments)]
pub fn train(
    spec: &Spec,
    layout: &Layout,
    comparisons: &Comparisons,
    keys: &[Key],
    base: &Base,
    facts: &Facts,
    blocks: &Blocks,
    lexicon: &Lexicon,
) -> Model {
    let mut model = Model {
        version: 1,
        spec: spec.clone(),
        records: u64::from(base.records),
        thresholds: Default::default(),
        populations: Vec::new(),
        lexicon: lexicon.entries(3),
    };
    let own: Vec<usize> = (0..base.records)
        .into_par_iter()
        .map(|record| comparisons.population(base, facts, record, record))
        .collect();
    let random = sample::random(base, facts, comparisons, &own);
    let frequencies = frequencies(layout, comparisons, base, &own);
    model.populations = guess::start(comparisons, layout, base, &random, frequencies);
    let patterns = sample::blocked(&model, comparisons, layout, base, facts, blocks);
    let covered = comparisons.covered(keys, &blocks.keys);
    em::fit(&mut model, comparisons, &covered, &random, &patterns);
    model
}

/// The frequencies of values among the records of each population; among all records if none belongs to it by
/// itself.
fn frequencies(
    layout: &Layout,
    comparisons: &Comparisons,
    base: &Base,
    own: &[usize],
) -> Vec<BTreeMap<String, Frequencies>> {
    let of = |population: usize| {
        let mut members: Vec<u32> = (0..base.records)
            .filter(|record| own[*record as usize] == population)
            .collect();
        if members.is_empty() {
            members = (0..base.records).collect();
        }
        let counted = |at: usize| {
            (
                layout.attributes[at].name.clone(),
                Frequencies::among(base, at, &members),
            )
        };
        let attributes: Vec<usize> = comparisons.frequencies(population).collect();
        attributes.into_par_iter().map(counted).collect()
    };
    (0..comparisons.populations.len()).map(of).collect()
}
