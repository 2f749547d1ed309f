//! The `reconcile` part of `module.yaml`, as written.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::entity_resolution::Normal;
use crate::guard::Guard;
use crate::ownership::{Owner, Ownership};

/// The whole file, of which the fetcher reads the rest.
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

/// What becomes of a module's records.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReconcileSpec {
    /// A jq mapping in this file, or a typed transform registered under the module's name.
    pub transform: TransformKind,
    /// Column to jq expression, in the order written.
    #[serde(default)]
    pub map: serde_json::Map<String, serde_json::Value>,
    /// Who may write a column; `merge` where nothing is said.
    #[serde(default)]
    pub ownership: BTreeMap<String, OwnershipSpec>,
    /// Whose word stands where several records are one entity; without it the first record's, and others fill
    /// what is empty.
    #[serde(default)]
    pub survivorship: Option<Survivorship>,
    /// How records that no identity knows find their entity.
    #[serde(default, rename = "match")]
    pub matching: MatchSpec,
    /// jq expression on the record: the id of the one that its source merged it into, where the source says
    /// so itself.
    #[serde(default)]
    pub merged_into: Option<String>,
    /// Columns that hold another module's entity.
    #[serde(default)]
    pub references: BTreeMap<String, ReferenceSpec>,
    /// Faults that need more than the contract's look at one field.
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    /// What may change at once without a person's word.
    #[serde(default)]
    pub guard: Guard,
    /// Another module's records that also give rows here.
    #[serde(default)]
    pub derive: Option<DeriveSpec>,
    /// The columns of a parent made up so that a child can land; `{id}` stands for the raw id.
    #[serde(default)]
    pub placeholder: BTreeMap<String, String>,
}

/// Which claims win, as a module declares it for its table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivorship {
    /// The modules of the table, the most trusted first; those that are not named come after all that are.
    pub trust: Vec<String>,
    /// The column that says when a record was last changed at its source.
    #[serde(default)]
    pub recency: Option<String>,
}

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransformKind {
    /// The `map` of this file.
    Map,
    /// Compiled in under the module's name.
    Rust,
}

/// `tags: append`, or `email: { own: merge, erase: true }`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum OwnershipSpec {
    /// The owner alone.
    Short(Owner),
    /// The owner and whether emptiness erases.
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
    /// The ownership said, in full.
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

/// Exact strong keys, and ids that an import minted.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchSpec {
    /// The keys, any of which links a record to the one entity that has it.
    pub keys: Vec<KeySpec>,
    /// Prefixes of ids that are not the vendor's own. Such records are decided last, so that the entity
    /// bears the vendor's id where both come.
    pub minted: Vec<String>,
    /// How records that no exact key decides are matched by score.
    pub scored: Option<ScoredSpec>,
}

/// The files of matching by score, beside `module.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoredSpec {
    /// The matching specification: fields, blocking keys, comparisons.
    pub by: String,
    /// The model trained for it.
    pub model: String,
    /// Whether two records of this module may be one entity. By default the source knows its own apart.
    #[serde(default)]
    pub within_source: bool,
}

/// One exact strong key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Its name in decisions.
    pub label: String,
    /// The columns that together make the key; `_columns` of the transform that serve matching alone may
    /// be among them.
    pub on: Vec<String>,
    /// The normal form compared: one for all columns, or one for each.
    #[serde(default)]
    pub normal: NormalSpec,
    /// Whether two records of this module may be one entity. By default the source knows its own apart.
    #[serde(default)]
    pub within_source: bool,
    /// A column of which an entity takes each value once: records that share a value stay two entities.
    #[serde(default)]
    pub distinct: Option<String>,
}

/// `email`, or `[serial, text]`.
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
    /// jq expression of the parent's raw source id; the column's own mapping where it is left out.
    #[serde(default)]
    pub from: Option<String>,
    /// What to do while the parent is missing.
    pub missing: Missing,
}

/// The fallback for a missing parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The record waits.
    Park,
    /// A flagged parent is made up, and replaced when the true one comes.
    Placeholder,
    /// The record lands without it, and is linked when the parent comes.
    Unlink,
}

/// A module's own rule: a jq predicate on the row.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// The fault's name.
    pub code: String,
    /// True of a row that has the fault.
    pub when: String,
    /// What to do about it.
    pub severity: Severity,
    /// One sentence for the operator.
    pub why: String,
    /// With `fix`: column to the jq expression of its corrected value.
    #[serde(default)]
    pub set: serde_json::Map<String, serde_json::Value>,
}

/// What a rule does about its fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Correct it and go on.
    Fix,
    /// Land the record and tell the operator.
    Warn,
    /// Set the record aside.
    Quarantine,
}

/// Another module's staged records that also give rows here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeriveSpec {
    /// The other module.
    pub from: String,
    /// A top-level field of its payload.
    pub field: String,
    /// The values of the field that matter.
    pub values: Vec<String>,
}
