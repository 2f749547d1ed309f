//! Matching of whole files: read, profile, block, score, decide.

use std::path::Path;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::base::Base;
use crate::blocking::{Blocks, Key};
use crate::compare::{Comparisons, ConditionError, Facts};
use crate::decide::{Decisions, Links, Surroundings, decide};
use crate::model::{Model, Scorer};
use crate::normalise::Lexicon;
use crate::profile::{Layout, Profile};
pub use crate::scored::Scored;
use crate::spec::Spec;
use crate::table::{Table, TableError};
use crate::train;

/// Errors in matching files.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A file cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The specification refers to something that does not exist.
    #[error(transparent)]
    Condition(#[from] ConditionError),
}

/// Records of files, ready to be compared.
#[derive(Debug)]
pub struct Batch {
    /// The attributes.
    pub layout: Layout,
    /// The comparisons.
    pub comparisons: Comparisons,
    /// The records.
    pub base: Base,
    /// Facts about their values.
    pub facts: Facts,
    /// The blocks: which records are compared.
    pub blocks: Blocks,
    /// The blocking keys.
    pub keys: Vec<Key>,
    /// The lexicon of given names and surnames.
    pub lexicon: Lexicon,
    /// The records' ids.
    pub ids: Vec<Box<str>>,
    /// The records' sources; empty if none is declared.
    pub sources: Vec<Box<str>>,
}

impl Batch {
    /// Reads one file whose records are compared with each other, or two that are linked. Records are sorted
    /// by their ids, so that their order in the file does not matter. `told` is called with the name of each
    /// finished step: `load`, `normalise`, `block`.
    pub fn read(
        spec: &Spec,
        files: &[&Path],
        known: Option<Lexicon>,
        told: &mut dyn FnMut(&'static str),
    ) -> Result<Self, BatchError> {
        let layout = Layout::of(spec);
        let comparisons = Comparisons::compile(spec, &layout)?;
        let keys = Key::compile(spec, &layout)?;
        let mut columns = layout.columns.clone();
        columns.push(spec.id.clone());
        columns.extend(spec.source.clone());
        let mut tables = Vec::new();
        for file in files {
            tables.push(Table::read(file, &columns)?);
        }
        told("load");
        let lexicon = known.unwrap_or_else(|| learnt(&layout, &tables));
        let mut base = Base::new(&layout);
        let (mut ids, mut sources) = (Vec::new(), Vec::new());
        for (number, table) in tables.iter().enumerate() {
            if number == 1 {
                base.second_table = Some(base.records);
            }
            let of = |record: &u32, column: usize| Box::from(table.value(*record as usize, column));
            let width = layout.columns.len();
            let order = in_order(table, width);
            let profiled = |part: &[u32]| -> Vec<Profile> {
                let profile = |record: &u32| {
                    layout.profile(&table.values(*record as usize)[..width], &lexicon)
                };
                part.par_iter().map(profile).collect()
            };
            // A chunk fits in the processor's cache until its values are numbered, while the next one is
            // read.
            let mut waiting = Vec::new();
            for part in order.chunks(1 << 12) {
                let (profiles, ()) = rayon::join(|| profiled(part), || base.extend(&waiting));
                waiting = profiles;
            }
            base.extend(&waiting);
            ids.par_extend(order.par_iter().map(|record| of(record, width)));
            if spec.source.is_some() {
                sources.par_extend(order.par_iter().map(|record| of(record, width + 1)));
            }
        }
        drop(tables);
        base.seal();
        let facts = Facts::of(&base, comparisons.conditions());
        told("normalise");
        let blocks = Blocks::of(&base, &keys);
        told("block");
        Ok(Self {
            keys,
            layout,
            comparisons,
            base,
            facts,
            blocks,
            lexicon,
            ids,
            sources,
        })
    }

    /// Trains a model on the records.
    pub fn train(&self, spec: &Spec) -> Model {
        train::train(
            spec,
            &self.layout,
            &self.comparisons,
            &self.keys,
            &self.base,
            &self.facts,
            &self.blocks,
            &self.lexicon,
        )
    }

    /// Scores the blocked pairs and keeps those with at least this score, in order of the records' ids.
    pub fn score(&self, model: &Model, least: f32) -> Vec<Scored> {
        let scorer = Scorer::new(model, &self.comparisons, &self.layout, &self.base);
        let chunk = 2048_u32;
        let parts: Vec<Vec<Scored>> = (0..self.base.records.div_ceil(chunk))
            .into_par_iter()
            .map(|number| {
                let mut kept = Vec::new();
                let mut partners = Vec::new();
                for one in number * chunk..((number + 1) * chunk).min(self.base.records) {
                    self.blocks.partners(&self.base, one, &mut partners);
                    let records = partners.iter().map(|(record, _)| *record);
                    self.comparisons.fetch(&self.base, &self.facts, records);
                    for (other, keys) in &partners {
                        let reached = self.comparisons.reach(&self.base, &self.facts, one, *other);
                        if let Some(score) = scorer.sum(&reached).at_least(least) {
                            kept.push(Scored {
                                one,
                                other: *other,
                                score,
                                keys: *keys,
                            });
                        }
                    }
                }
                kept
            })
            .collect();
        parts.concat()
    }
}

/// A match within a group is a contradiction if more than this many bits speak against it.
const CONTRADICTION: f32 = 4.0;

impl Batch {
    /// Decides over scored pairs with a model.
    pub fn decide(&self, model: &Model, scored: &[Scored], links: &Links) -> Decisions {
        let scorer = Scorer::new(model, &self.comparisons, &self.layout, &self.base);
        let contradict = |one: u32, other: u32| {
            let (one, other) = (one.min(other), one.max(other));
            let reached = self.comparisons.reach(&self.base, &self.facts, one, other);
            scorer.apart(&reached) >= CONTRADICTION
        };
        let mut names: FxHashMap<&str, u32> = FxHashMap::default();
        let sources: Vec<u32> = self
            .sources
            .iter()
            .map(|source| {
                let next = names.len() as u32;
                *names.entry(source).or_insert(next)
            })
            .collect();
        let around = Surroundings {
            records: self.base.records,
            sources: &sources,
            contradict: &contradict,
        };
        decide(&model.spec.decide, model.thresholds, scored, links, &around)
    }
}

fn learnt(layout: &Layout, tables: &[Table]) -> Lexicon {
    let mut lexicon = Lexicon::default();
    for table in tables {
        let chunks = table.len().div_ceil(1 << 14);
        let parts: Vec<Lexicon> = (0..chunks)
            .into_par_iter()
            .map(|chunk| {
                let mut part = Lexicon::default();
                for record in chunk << 14..((chunk + 1) << 14).min(table.len()) {
                    layout.learn(&table.values(record), &mut part);
                }
                part
            })
            .collect();
        parts.into_iter().for_each(|part| lexicon.add(part));
    }
    lexicon
}

fn in_order(table: &Table, id: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..table.len() as u32).collect();
    order.par_sort_unstable_by_key(|record| table.value(*record as usize, id));
    order
}
