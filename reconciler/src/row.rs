//! The row a record becomes: columns by name, where absent, null and empty stay three different things.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Columns of one row-to-be. A key that is not there is **absent** (the source said nothing);
/// `Value::Null` is a **null** the source sent; `""` and `[]` are **empty**. A column that references
/// another module holds the parent's raw source id until references are resolved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(pub Map<String, Value>);

impl Row {
    /// Sets a column; the last call wins.
    pub fn set(&mut self, column: &str, value: impl Into<Value>) {
        self.0.insert(column.to_owned(), value.into());
    }

    /// The column's value, or `None` where it is absent.
    pub fn get(&self, column: &str) -> Option<&Value> {
        self.0.get(column)
    }
}

/// Why a record cannot become a row: kept, counted and shown, never an error of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// A stable name of the fault, in snake case: `not_an_object`, `humidity_out_of_range`.
    pub code: String,
    /// One sentence for the operator: what is wrong and what to do about it. No personal data.
    pub why: String,
    /// The column or payload path at fault, where there is one.
    pub at: Option<String>,
}

impl Rejection {
    /// A rejection named `code`, explained by `why`, of the record as a whole.
    pub fn new(code: &str, why: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            why: why.into(),
            at: None,
        }
    }

    /// The same rejection, pinned to a column or payload path.
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.at = Some(place.into());
        self
    }
}
