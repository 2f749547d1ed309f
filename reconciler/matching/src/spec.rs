//! The specification of a matcher as a module declares it: fields, blocking keys, comparisons, decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the records of a stream are told apart and brought together.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The column that holds a record's id.
    pub id: String,
    /// The column that says which source a record is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The values that are compared.
    pub fields: Vec<FieldSpec>,
    /// Sorts of pairs with weights of their own; the first that holds is the pair's. Without any, all pairs
    /// are one sort.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub populations: Vec<PopulationSpec>,
    /// Records that share the value of a key are compared.
    pub blocking: Vec<KeySpec>,
    /// What is compared, and in which levels.
    pub comparisons: Vec<ComparisonSpec>,
    /// When a pair is a match.
    #[serde(default)]
    pub decide: DecideSpec,
}

/// One value, or several that come from one, in normal form.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    /// Its name; its parts are called `name.part`.
    pub field: String,
    /// The normal form.
    #[serde(rename = "as")]
    pub form: Form,
    /// The columns it comes from.
    pub from: From,
    /// Other spellings of a value: makes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, Vec<String>>,
    /// The field that holds the name of the person an e-mail address belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// The columns of a field.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum From {
    /// One.
    One(String),
    /// Several of the same meaning.
    Many(Vec<String>),
    /// Several of different meaning, by the part they give.
    Parts(BTreeMap<String, String>),
}

/// A normal form.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As it is, without blanks around it.
    Exact,
    /// Words without case and accents.
    Text,
    /// A person or an institution, from `full`, `given`, `surname`, `organisation` and `kind`.
    Party,
    /// The name of an institution or a product: words in one language, without legal forms.
    Organisation,
    /// A given name.
    Given,
    /// A surname.
    Surname,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A postal address, from `line`, `city` and `code`.
    Address,
    /// A postal code.
    PostalCode,
    /// A town.
    City,
    /// A serial number.
    Serial,
    /// The maker of a thing.
    Make,
    /// The model of a thing.
    Model,
    /// Letters and digits.
    Code,
    /// A number.
    Number,
    /// Digits of a day, year first.
    Date,
}

/// A sort of pairs.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PopulationSpec {
    /// Its name.
    pub population: String,
    /// Which pairs it holds; the last may hold all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A blocking key: records with equal parts are compared.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct KeySpec {
    /// Its parts, such as `email`, `prefix(address.code, 3)`, `sound(name.surname)`, `first(name.given)`,
    /// `rarest(name.proper)`.
    pub key: Vec<String>,
    /// Larger blocks are left out; the report says how many pairs that drops.
    #[serde(default = "largest_block")]
    pub most: usize,
}

fn largest_block() -> usize {
    50
}

/// A comparison: its levels from the strongest agreement to the strongest contradiction.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ComparisonSpec {
    /// Its name.
    pub comparison: String,
    /// The populations it concerns; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<String>,
    /// When it says nothing at all.
    pub missing: String,
    /// When the compared value agrees because another does, as e-mail addresses are made of names: such pairs
    /// have shares of their own, so that what follows from the one is not counted again in the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Whether it tells the members of one household or group apart: between two of them it agrees by chance
    /// only.
    #[serde(default)]
    pub individual: bool,
    /// The levels; the first that holds is the pair's.
    pub levels: Vec<LevelSpec>,
}

/// A level of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LevelSpec {
    /// Its label, shown to people.
    pub level: String,
    /// When it holds; without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether it speaks against a match whatever the training says: a flat, a branch or a generation that
    /// differs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub against: bool,
    /// Whether members of one group reach it more often than chance, though the comparison tells them apart:
    /// neighbouring serial numbers bought together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kin: bool,
    /// The value whose rarity counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
}

/// What makes a match.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DecideSpec {
    /// The share of matches that must be right.
    pub precision: f64,
    /// Pairs at least this likely to be a match are shown to a person.
    pub review: f64,
    /// How many bits a record's best partner must be ahead of the next, where only one can be right.
    pub margin: f32,
    /// Whether a record of one table has at most one partner in the other.
    pub one_to_one: bool,
    /// Whether each source holds an entity once only.
    pub source_is_unique: bool,
    /// Larger clusters are shown to a person.
    pub largest_cluster: usize,
}

impl Default for DecideSpec {
    fn default() -> Self {
        Self {
            precision: 0.99,
            review: 0.2,
            margin: 2.0,
            one_to_one: false,
            source_is_unique: false,
            largest_cluster: 25,
        }
    }
}

impl Spec {
    /// Reads a specification; the message of an error names the line.
    pub fn parse(yaml: &str) -> Result<Self, serde_norway::Error> {
        serde_norway::from_str(yaml)
    }
}
