//! A module's matcher: its specification and model, prepared for rows.

use matching::base::Base;
use matching::batch::Batch;
use matching::blocking::{Blocks, Key};
use matching::compare::{Comparisons, ConditionError, Facts};
use matching::decide::review_score;
use matching::model::Model;
use matching::normalise::Lexicon;
use matching::profile::{Layout, Profile};
use matching::spec::Spec;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A module's matcher.
#[derive(Debug)]
pub struct Scoring {
    /// The trained model, with the specification's decision part.
    pub model: Model,
    /// The model's version in decisions: its size and a digest of its file.
    pub version: String,
    /// Whether two records of the module may be one entity.
    pub within_source: bool,
    /// The version of its blocking keys: a digest of fields, keys and the lexicon.
    pub(crate) blocked_by: String,
    layout: Layout,
    comparisons: Comparisons,
    keys: Vec<Key>,
    lexicon: Lexicon,
}

/// A stored blocking key of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Block {
    /// The hash of the key and its value.
    pub(crate) hash: i64,
    /// Larger blocks are ignored.
    pub(crate) most: i32,
}

impl Scoring {
    /// Prepares a specification and its model.
    pub(crate) fn new(
        spec: &Spec,
        mut model: Model,
        model_text: &str,
        within_source: bool,
    ) -> Result<Self, ConditionError> {
        model.spec.decide = spec.decide.clone();
        // The module sets the review threshold, without training again.
        model.thresholds.review = review_score(&spec.decide).min(model.thresholds.is_match);
        let layout = Layout::of(spec);
        let comparisons = Comparisons::compile(spec, &layout)?;
        let keys = Key::compile(spec, &layout)?;
        model.check(&comparisons).map_err(|fault| ConditionError {
            text: "the model".to_owned(),
            fault: format!("cannot be used: {fault}"),
        })?;
        let written = serde_json::to_string(&(&spec.fields, &spec.blocking, &model.lexicon));
        let digest = |text: &str| hex::encode(&Sha256::digest(text)[..8]);
        Ok(Self {
            version: format!("{} of {} records", digest(model_text), model.records),
            blocked_by: digest(&written.unwrap_or_default()),
            lexicon: Lexicon::of(model.lexicon.iter().cloned()),
            within_source,
            model,
            layout,
            comparisons,
            keys,
        })
    }

    /// The compared columns.
    pub(crate) fn columns(&self) -> &[String] {
        &self.layout.columns
    }

    /// The profile of a row: its values in normal form; `value` returns its columns.
    pub(crate) fn profile<'v>(&self, value: impl Fn(&str) -> Option<&'v Value>) -> Profile {
        let texts: Vec<String> = self
            .layout
            .columns
            .iter()
            .map(|column| match value(column) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        self.layout.profile(&texts, &self.lexicon)
    }

    /// The blocking keys of a row, without duplicates.
    pub(crate) fn blocks_of(&self, profile: &Profile) -> Vec<Block> {
        let mut base = Base::new(&self.layout);
        base.extend(std::slice::from_ref(profile));
        let keys = self.keys.iter().flat_map(|key| {
            let texts = key.texts(&base, 0);
            texts.into_iter().map(|text| self.block(key, &text))
        });
        let mut blocks: Vec<Block> = keys.collect();
        blocks.sort_unstable();
        blocks.dedup_by_key(|block| block.hash);
        blocks
    }

    fn block(&self, key: &Key, text: &str) -> Block {
        let mut digest = Sha256::new();
        for part in [&self.blocked_by, &key.label, text] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        Block {
            hash: i64::from_be_bytes(first),
            most: i32::try_from(key.most).unwrap_or(i32::MAX),
        }
    }

    /// A batch of rows to score against the first one. The blocking keys they share are computed only for
    /// explanations.
    pub(crate) fn batch(&self, profiles: &[Profile], ids: &[&str], is_explained: bool) -> Batch {
        let keys: &[Key] = if is_explained { &self.keys } else { &[] };
        let mut base = Base::new(&self.layout);
        base.extend(profiles);
        base.seal();
        Batch {
            facts: Facts::of(&base, self.comparisons.conditions()),
            blocks: Blocks::of(&base, keys),
            layout: self.layout.clone(),
            comparisons: self.comparisons.clone(),
            keys: self.keys.clone(),
            lexicon: Lexicon::default(),
            ids: ids.iter().map(|id| Box::from(*id)).collect(),
            sources: Vec::new(),
            base,
        }
    }
}
