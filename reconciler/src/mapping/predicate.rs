//! A rule's condition: a jq expression on the row that is true if the row has the fault.

use super::budget::Budget;
use super::payload;
use super::program::{MappingError, Program, parsed};
use crate::{Rejection, Row};
use jaq_json::Val;

/// A row as input of conditions.
pub struct Seen(Val);

impl Seen {
    /// Absent columns are null, as in jq.
    pub fn new(row: &Row) -> Self {
        Self(payload::object(
            row.0.iter().map(|(column, value)| (column.as_str(), value)),
        ))
    }
}

/// A compiled condition on a row.
pub struct Predicate {
    code: String,
    program: Program,
}

impl Predicate {
    /// Compiles the condition of the rule `code`, written on `line` of `file`.
    pub fn compile(file: &str, line: usize, code: &str, jq: &str) -> Result<Self, MappingError> {
        let program = parsed(jq)
            .and_then(|term| Program::compile(term, jq))
            .map_err(|fault| fault.into_error(file, line, code, jq))?;
        Ok(Self {
            code: code.to_owned(),
            program,
        })
    }

    /// Whether the condition is true; no output counts as false.
    pub fn holds(&self, row: &Seen) -> Result<bool, Rejection> {
        let output = self
            .program
            .run(row.0.clone(), &Budget::new())
            .map_err(|rejection| rejection.at(&self.code))?;
        Ok(output.is_some_and(|value| !matches!(value, Val::Null | Val::Bool(false))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_see_the_row() {
        let cases = [
            (".humidity > 100", json!({ "humidity": 120 }), Ok(true)),
            (".humidity > 100", json!({ "humidity": 45.5 }), Ok(false)),
            (".humidity > 100", json!({}), Ok(false)),
            (
                ".ends_at < .starts_at",
                json!({ "starts_at": "2026-01-02", "ends_at": "2026-01-01" }),
                Ok(true),
            ),
            ("empty", json!({}), Ok(false)),
            ("null", json!({}), Ok(false)),
            ("true, true", json!({}), Err("mapping_many_outputs")),
            (".a.b", json!({ "a": 1 }), Err("mapping_failed")),
            ("[repeat(1)]", json!({}), Err("mapping_too_costly")),
        ];
        for (jq, row, expected) in cases {
            let predicate = Predicate::compile("module.yaml", 3, "a_fault", jq)
                .unwrap_or_else(|error| panic!("{error}"));
            let row: Row = serde_json::from_value(row).expect("a row");
            assert_eq!(
                predicate.holds(&Seen::new(&row)).map_err(|r| r.code),
                expected.map_err(str::to_owned),
                "{jq}"
            );
        }
    }
}
