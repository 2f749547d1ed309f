//! The specification of a matcher as a module declares it: fields, blocking keys, comparisons, decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How records are compared and matched.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The column that holds a record's id.
    pub id: String,
    /// The column with a record's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The values that are compared.
    pub fields: Vec<FieldSpec>,
    /// Populations of pairs with their own weights; a pair belongs to the first whose condition holds.
    /// Without any, all pairs are one population.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub populations: Vec<PopulationSpec>,
    /// Blocking keys: records that share a key are compared.
    pub blocking: Vec<KeySpec>,
    /// The comparisons and their levels.
    pub comparisons: Vec<ComparisonSpec>,
    /// The decision rules.
    #[serde(default)]
    pub decide: DecideSpec,
}

/// A field: one or several values in normal form.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    /// Its name; its parts are called `name.part`.
    pub field: String,
    /// The normal form.
    #[serde(rename = "as")]
    pub form: Form,
    /// Its columns.
    pub from: From,
    /// Aliases of values, for makes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<String, Vec<String>>,
    /// The name field of the person whom an e-mail address belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// The columns of a field.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum From {
    /// One column.
    One(String),
    /// Several columns with the same meaning.
    Many(Vec<String>),
    /// Several columns with different meanings, by part.
    Parts(BTreeMap<String, String>),
}

/// A normal form.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The text, without blanks around it.
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
    /// A day as digits, year first.
    Date,
}

/// A population of pairs.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PopulationSpec {
    /// Its name.
    pub population: String,
    /// The condition for its pairs; the last population needs none.
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
    /// Larger blocks are ignored; the report counts the pairs that are lost.
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
    /// The populations it applies to; by default all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<String>,
    /// The condition under which it does not apply.
    pub missing: String,
    /// The condition under which agreement follows from another attribute, as e-mail addresses are made of
    /// names. Such pairs have their own probabilities, so that the same evidence is not counted twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Whether it distinguishes members of one household or group: two of them agree only by chance.
    #[serde(default)]
    pub individual: bool,
    /// The levels; a pair reaches the first whose condition holds.
    pub levels: Vec<LevelSpec>,
}

/// A level of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct LevelSpec {
    /// Its label, shown to people.
    pub level: String,
    /// Its condition; without one it always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Whether it is evidence against a match whatever the training finds: another flat, branch or
    /// generation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub against: bool,
    /// Whether members of one group reach it more often than by chance, though the comparison distinguishes
    /// them: adjacent serial numbers bought together.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kin: bool,
    /// The attribute whose value frequency counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<String>,
}

/// The decision rules.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DecideSpec {
    /// The wanted precision.
    pub precision: f64,
    /// Pairs with at least this probability of a match are reviewed.
    pub review: f64,
    /// The margin in bits by which a record's best partner must lead, if only one can be right.
    pub margin: f32,
    /// Whether a record of one table has at most one partner in the other.
    pub one_to_one: bool,
    /// Whether each source has each entity only once.
    pub source_is_unique: bool,
    /// Larger clusters are reviewed.
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
    /// Parses a specification; an error message names the line.
    pub fn parse(yaml: &str) -> Result<Self, serde_norway::Error> {
        serde_norway::from_str(yaml)
    }
}
