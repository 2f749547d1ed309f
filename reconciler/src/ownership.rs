//! Who may write a column, and what counts as saying nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who may write a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The source: an override gives way as soon as a claim changes.
    Source,
    /// Both: an override holds, and is a conflict once the claims have moved.
    #[default]
    Merge,
    /// People: claims count when the row is made, an override always holds.
    Local,
    /// A list of both: items added and removed by hand are remembered, the sources' items come and go around
    /// them.
    Append,
}

/// Ownership of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ownership {
    /// Who may write it.
    pub own: Owner,
    /// Whether a null or empty source value erases what stands.
    pub erase: bool,
}

/// Whether a value says nothing: null, blank text, an empty list or an empty object.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
