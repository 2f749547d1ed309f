//! The three-way merge of one row: what we last took from the source, what it says now, and what stands
//! in production.
//!
//! All three are in PostgreSQL's own JSON rendering of the column types, so equality of values is
//! equality of columns. Absent is a key that is not there.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Who may write a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// Follows the source.
    Source,
    /// Keeps a local edit while the source's value stands still; both moved is a conflict.
    #[default]
    Merge,
    /// Written when the row is made and never again.
    Local,
    /// A list: what the source adds is added, what stands stays.
    Append,
}

/// Ownership of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ownership {
    /// Who may write it.
    pub own: Owner,
    /// Whether a null or empty source value may erase what stands.
    pub erase: bool,
}

/// A column that changed at the source and by hand; the local value was kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// The column.
    pub column: String,
    /// What the source had said before; `None` when it had never spoken.
    pub base: Option<Value>,
    /// What it says now.
    pub theirs: Value,
    /// What stands in production.
    pub ours: Value,
}

/// The outcome of a merge.
#[derive(Debug, Default, PartialEq)]
pub struct Merged {
    /// The columns to write, with their new values; empty when production stands as it should.
    pub changes: Map<String, Value>,
    /// The columns that had moved on both sides.
    pub conflicts: Vec<Conflict>,
    /// Columns that held something and are erased.
    pub erased: usize,
}

/// Merges what the source says (`theirs`) into what stands (`ours`), given what it said before (`base`).
///
/// `leads` is false for a record that may only fill columns that stand empty: a second witness of an
/// entity that another record made.
pub fn merge(
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
    ownership: impl Fn(&str) -> Ownership,
    leads: bool,
) -> Merged {
    let mut merged = Merged::default();
    for (column, value) in theirs {
        let stands = ours.get(column).unwrap_or(&Value::Null);
        let rule = ownership(column);
        if value == stands || rule.own == Owner::Local || (is_empty(value) && !rule.erase) {
            continue;
        }
        let before = base.get(column);
        let result = match rule.own {
            _ if !leads => is_empty(stands).then(|| value.clone()),
            Owner::Local => None,
            Owner::Append => union(before, value, stands),
            Owner::Source => Some(value.clone()),
            Owner::Merge if before == Some(value) => None,
            Owner::Merge if before == Some(stands) || is_empty(stands) && before.is_none() => {
                Some(value.clone())
            }
            Owner::Merge => {
                merged.conflicts.push(Conflict {
                    column: column.clone(),
                    base: before.cloned(),
                    theirs: value.clone(),
                    ours: stands.clone(),
                });
                None
            }
        };
        if let Some(result) = result.filter(|result| result != stands) {
            merged.erased += usize::from(is_empty(&result) && !is_empty(stands));
            merged.changes.insert(column.clone(), result);
        }
    }
    merged
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

/// What stands, and what the source has newly added: an item that somebody took away by hand stays away
/// while the source merely repeats it.
fn union(base: Option<&Value>, theirs: &Value, ours: &Value) -> Option<Value> {
    let theirs = theirs.as_array()?;
    let said_before = base.and_then(Value::as_array);
    let mut all = ours.as_array().cloned().unwrap_or_default();
    for item in theirs {
        let repeated = said_before.is_some_and(|base| base.contains(item));
        if !repeated && !all.contains(item) {
            all.push(item.clone());
        }
    }
    Some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SOURCE: Ownership = Ownership {
        own: Owner::Source,
        erase: false,
    };
    const ERASE: Ownership = Ownership {
        own: Owner::Source,
        erase: true,
    };
    const MERGE: Ownership = Ownership {
        own: Owner::Merge,
        erase: false,
    };
    const MERGE_ERASE: Ownership = Ownership {
        own: Owner::Merge,
        erase: true,
    };
    const LOCAL: Ownership = Ownership {
        own: Owner::Local,
        erase: false,
    };
    const APPEND: Ownership = Ownership {
        own: Owner::Append,
        erase: false,
    };

    /// label, ownership, base, theirs, ours, what is written, conflicts; "absent" stands for a missing key.
    #[test]
    fn each_owner_merges_as_promised() {
        let cases = [
            (
                "source follows",
                SOURCE,
                json!("a"),
                json!("b"),
                json!("x"),
                json!("b"),
                0,
            ),
            (
                "source undoes a hand edit",
                SOURCE,
                json!("a"),
                json!("a"),
                json!("x"),
                json!("a"),
                0,
            ),
            (
                "source null does not erase",
                SOURCE,
                json!("a"),
                json!(null),
                json!("a"),
                json!("absent"),
                0,
            ),
            (
                "source empty does not erase",
                SOURCE,
                json!("a"),
                json!(""),
                json!("a"),
                json!("absent"),
                0,
            ),
            (
                "source absent does not erase",
                ERASE,
                json!("a"),
                json!("absent"),
                json!("a"),
                json!("absent"),
                0,
            ),
            (
                "erase lets null through",
                ERASE,
                json!("a"),
                json!(null),
                json!("a"),
                json!(null),
                0,
            ),
            (
                "merge takes a new value",
                MERGE,
                json!("a"),
                json!("b"),
                json!("a"),
                json!("b"),
                0,
            ),
            (
                "merge keeps a hand edit",
                MERGE,
                json!("a"),
                json!("a"),
                json!("x"),
                json!("absent"),
                0,
            ),
            (
                "merge keeps a hand erasure",
                MERGE,
                json!("a"),
                json!("a"),
                json!(null),
                json!("absent"),
                0,
            ),
            (
                "merge: both moved",
                MERGE,
                json!("a"),
                json!("b"),
                json!("x"),
                json!("absent"),
                1,
            ),
            (
                "merge: both moved alike",
                MERGE,
                json!("a"),
                json!("b"),
                json!("b"),
                json!("absent"),
                0,
            ),
            (
                "merge: null keeps",
                MERGE,
                json!(["t"]),
                json!(null),
                json!(["t", "h"]),
                json!("absent"),
                0,
            ),
            (
                "merge: [] keeps",
                MERGE,
                json!(["t"]),
                json!([]),
                json!(["t", "h"]),
                json!("absent"),
                0,
            ),
            (
                "merge: erase of an untouched",
                MERGE_ERASE,
                json!("a"),
                json!(null),
                json!("a"),
                json!(null),
                0,
            ),
            (
                "merge: erase against an edit",
                MERGE_ERASE,
                json!("a"),
                json!(null),
                json!("x"),
                json!("absent"),
                1,
            ),
            (
                "merge: first word fills",
                MERGE,
                json!("absent"),
                json!("a"),
                json!(null),
                json!("a"),
                0,
            ),
            (
                "merge: first word meets a row",
                MERGE,
                json!("absent"),
                json!("a"),
                json!("x"),
                json!("absent"),
                1,
            ),
            (
                "local never",
                LOCAL,
                json!("a"),
                json!("b"),
                json!("a"),
                json!("absent"),
                0,
            ),
            (
                "append unions",
                APPEND,
                json!(["a"]),
                json!(["a", "b"]),
                json!(["a", "h"]),
                json!(["a", "h", "b"]),
                0,
            ),
            (
                "append: [] keeps",
                APPEND,
                json!(["a"]),
                json!([]),
                json!(["a", "h"]),
                json!("absent"),
                0,
            ),
            (
                "append: removed by hand",
                APPEND,
                json!(["a", "b"]),
                json!(["a", "b"]),
                json!(["b"]),
                json!("absent"),
                0,
            ),
            (
                "append: removed at source",
                APPEND,
                json!(["a", "b"]),
                json!(["b"]),
                json!(["a", "b"]),
                json!("absent"),
                0,
            ),
            (
                "false is a value",
                SOURCE,
                json!(true),
                json!(false),
                json!(true),
                json!(false),
                0,
            ),
            (
                "zero is a value",
                SOURCE,
                json!(1),
                json!(0),
                json!(1),
                json!(0),
                0,
            ),
        ];
        for (label, rule, base, theirs, ours, written, conflicts) in cases {
            let merged = merge(&row(base), &row(theirs), &row(ours), |_| rule, true);
            assert_eq!(merged.changes, row(written), "{label}");
            assert_eq!(merged.conflicts.len(), conflicts, "{label}");
        }
    }

    #[test]
    fn a_second_witness_only_fills_what_stands_empty() {
        let theirs = json!({"a": "new", "b": "new"})
            .as_object()
            .cloned()
            .unwrap();
        let ours = json!({"a": "old", "b": null}).as_object().cloned().unwrap();
        let merged = merge(&Map::new(), &theirs, &ours, |_| SOURCE, false);
        assert_eq!(Value::Object(merged.changes), json!({"b": "new"}));
    }

    fn row(value: Value) -> Map<String, Value> {
        let mut row = Map::new();
        if value != json!("absent") {
            row.insert("c".into(), value);
        }
        row
    }
}
