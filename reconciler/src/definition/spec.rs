//! The `reconcile` part of `module.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::entity_resolution::Normal;
use crate::guard::Guard;
use crate::ownership::{Owner, Ownership};

/// The whole file; the fetcher reads the other parts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModuleFile {
    #[serde(rename = "module")]
    _module: IgnoredAny,
    #[serde(rename = "source")]
    _source: IgnoredAny,
    #[serde(rename = "fetch")]
    _fetch: IgnoredAny,
    pub(crate) reconcile: ReconcileSpec,
}

/// How a module's records become rows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSpec {
    /// Either a jq mapping in this file or the typed transform registered under the module's name.
    pub transform: TransformKind,
    /// Columns and their jq expressions, in declared order.
    #[serde(default)]
    pub map: serde_json::Map<String, serde_json::Value>,
    /// The ownership of columns; the default is `merge`.
    #[serde(default)]
    pub ownership: BTreeMap<String, OwnershipSpec>,
    /// Which value wins if several records are one entity. By default the first record's, and others fill
    /// empty columns.
    #[serde(default)]
    pub survivorship: Option<Survivorship>,
    /// How records without an identity are matched to entities.
    #[serde(default, rename = "match")]
    pub matching: MatchSpec,
    /// jq expression on the record: the id of the record that the source merged it into, if the source has
    /// such a field.
    #[serde(default)]
    pub merged_into: Option<String>,
    /// References to entities of other modules, by column.
    #[serde(default)]
    pub references: BTreeMap<String, ReferenceSpec>,
    /// Rules for faults that a check of one field cannot find.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// How much may change in one run without approval.
    #[serde(default)]
    pub guard: Guard,
    /// Records of another module that also give rows here.
    #[serde(default)]
    pub derive: Option<DeriveSpec>,
    /// The columns of a placeholder parent; `{id}` stands for the raw id.
    #[serde(default)]
    pub placeholder: BTreeMap<String, String>,
}

/// Survivorship, as a module declares it for its table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivorship {
    /// The modules of the table, the most trusted first; unnamed modules come last.
    pub trust: Vec<String>,
    /// The column with the time of a record's last change at its source.
    #[serde(default)]
    pub recency: Option<String>,
}

/// How rows are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransformKind {
    /// The `map` of this file.
    Map,
    /// A Rust transform under the module's name.
    Rust,
}

/// Ownership of a column: `tags: append`, or `email: { own: merge, erase: true }`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum OwnershipSpec {
    /// The owner alone.
    Short(Owner),
    /// The owner, and whether an empty source value erases.
    Long(OwnershipFields),
}

/// The long form of an ownership.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipFields {
    /// The owner.
    #[serde(default)]
    pub own: Owner,
    /// Whether a null or empty source value erases.
    #[serde(default)]
    pub erase: bool,
}

impl OwnershipSpec {
    /// The ownership in its long form.
    pub fn ownership(self) -> Ownership {
        match self {
            Self::Short(own) => Ownership { own, erase: false },
            Self::Long(long) => Ownership {
                own: long.own,
                erase: long.erase,
            },
        }
    }
}

/// How records are matched: exact keys, minted ids, scores.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchSpec {
    /// The exact keys; any of them links a record to the one entity that has it.
    pub keys: Vec<KeySpec>,
    /// Prefixes of ids that an import minted, not the vendor. Such records are matched last, so that an
    /// entity with both kinds of record keeps the vendor's id.
    pub minted: Vec<String>,
    /// Matching by score, for records without a matching exact key.
    pub scored: Option<ScoredSpec>,
}

/// The files for matching by score, beside `module.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoredSpec {
    /// The matching specification: fields, blocking keys, comparisons.
    pub by: String,
    /// The model trained for it.
    pub model: String,
    /// Whether two records of this module may be one entity. By default they may not: the source is trusted
    /// to have no duplicates.
    #[serde(default)]
    pub within_source: bool,
}

/// One exact key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Its name in decisions.
    pub label: String,
    /// The columns of the key; they may include `_columns` that the transform makes for matching.
    pub on: Vec<String>,
    /// The normal form in which values are compared: one for all columns, or one for each.
    #[serde(default)]
    pub normal: NormalSpec,
    /// Whether two records of this module may be one entity. By default they may not: the source is trusted
    /// to have no duplicates.
    #[serde(default)]
    pub within_source: bool,
    /// A column whose values are distinct within an entity: two records with the same value stay two
    /// entities.
    #[serde(default)]
    pub distinct: Option<String>,
}

/// Normal forms: `email`, or `[serial, text]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum NormalSpec {
    /// One form for all columns.
    One(Normal),
    /// A form for each column.
    Each(Vec<Normal>),
}

impl Default for NormalSpec {
    fn default() -> Self {
        Self::One(Normal::Exact)
    }
}

impl NormalSpec {
    /// The form of the column at `index`.
    pub fn of(&self, index: usize) -> Normal {
        match self {
            Self::One(normal) => *normal,
            Self::Each(all) => all.get(index).copied().unwrap_or_default(),
        }
    }
}

/// A column that holds another module's entity.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSpec {
    /// The parent's module.
    pub to: String,
    /// jq expression for the parent's raw source id; by default the column's own mapping.
    #[serde(default)]
    pub from: Option<String>,
    /// What to do if the parent is missing.
    pub missing: Missing,
}

/// What happens to a record whose parent is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The record is parked until the parent exists.
    Park,
    /// A placeholder parent is created, and replaced by the real one later.
    Placeholder,
    /// The record is promoted without the reference, which is set once the parent exists.
    Unlink,
}

/// A module's own rule: a jq predicate on the row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// The fault's name.
    pub code: String,
    /// True if a row has the fault.
    pub when: String,
    /// What happens to the record.
    pub severity: Severity,
    /// A one-sentence explanation for the operator.
    pub why: String,
    /// For `fix`: columns and the jq expressions of their corrected values.
    #[serde(default)]
    pub set: serde_json::Map<String, serde_json::Value>,
}

/// What a rule does with a record that has its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Correct the row and continue.
    Fix,
    /// Promote the record and warn the operator.
    Warn,
    /// Quarantine the record.
    Quarantine,
}

/// Staged records of another module that also give rows here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeriveSpec {
    /// The other module.
    pub from: String,
    /// A top-level field of its payload.
    pub field: String,
    /// The values of that field that select a record.
    pub values: Vec<String>,
}
