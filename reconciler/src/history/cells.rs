//! Compares two images of a row, cell by cell.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// The image of a row.
pub(super) type Image = Map<String, Value>;

/// The value of a cell; absent, null and empty are three different values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CellValue {
    /// The row or its column does not exist.
    #[serde(skip)]
    Absent,
    /// The value: null, empty or anything else.
    Present(Value),
}

impl CellValue {
    /// The cell of a column in a row that may not exist.
    pub(super) fn of(image: Option<&Image>, column: &str) -> Self {
        match image.and_then(|image| image.get(column)) {
            None => Self::Absent,
            Some(value) => Self::Present(value.clone()),
        }
    }

    fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

impl fmt::Display for CellValue {
    /// `absent`, `null`, or JSON: `""`, `"text"`, `12.50`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("absent"),
            Self::Present(value) => write!(f, "{value}"),
        }
    }
}

/// One cell that differs. In JSON an absent side is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// The column.
    pub column: String,
    /// The value before.
    #[serde(skip_serializing_if = "CellValue::is_absent")]
    pub before: CellValue,
    /// The value after.
    #[serde(skip_serializing_if = "CellValue::is_absent")]
    pub after: CellValue,
}

/// The cells that differ, in order of their columns.
pub(super) fn cells(before: Option<&Image>, after: Option<&Image>) -> Vec<Cell> {
    let columns: BTreeSet<&String> = before
        .into_iter()
        .chain(after)
        .flat_map(Map::keys)
        .collect();
    columns
        .into_iter()
        .map(|column| Cell {
            column: column.clone(),
            before: CellValue::of(before, column),
            after: CellValue::of(after, column),
        })
        .filter(|cell| cell.before != cell.after)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_null_and_empty_differ() {
        let images = [
            ("no row", Value::Null),
            ("no column", json!({"id": "c"})),
            ("null", json!({"id": "c", "name": null})),
            ("empty", json!({"id": "c", "name": ""})),
            ("blank", json!({"id": "c", "name": " "})),
            ("the word", json!({"id": "c", "name": "null"})),
            ("empty list", json!({"id": "c", "name": []})),
            ("a number", json!({"id": "c", "name": 0})),
        ];
        let mut table = String::new();
        for (was, before) in &images {
            for (is, after) in &images {
                let found = cells(before.as_object(), after.as_object());
                assert_eq!(found.is_empty(), was == is);
                let Some(cell) = found.iter().find(|cell| cell.column == "name") else {
                    continue;
                };
                let json = serde_json::to_string(cell).expect("a cell is JSON");
                table += &format!(
                    "{was} -> {is}: {} -> {}   {json}\n",
                    cell.before, cell.after
                );
            }
        }
        insta::assert_snapshot!(table);
    }
}
