//! `merged_into`: what a source says itself of records that it merged into others.

use serde_json::Value;

use super::Definition;
use crate::Rejection;
use crate::mapping::{Expression, Mapping, MappingError};

/// The key of `reconcile`.
pub(super) const MERGED_INTO: &str = "merged_into";

/// The expression of `file`, compiled.
pub(super) fn compile(
    file: &str,
    jq: Option<&String>,
    line: usize,
) -> Result<Option<Mapping>, MappingError> {
    let expression = |jq: &String| Expression {
        column: MERGED_INTO.to_owned(),
        jq: jq.clone(),
        line,
    };
    jq.map(|jq| Mapping::compile(file, &[expression(jq)]))
        .transpose()
}

impl Definition {
    /// The id of the record that its source says it merged this one into; `None` where it says nothing of the
    /// sort.
    pub(crate) fn merged_into(&self, payload: &str) -> Result<Option<String>, Rejection> {
        let Some(said) = &self.merged_into else {
            return Ok(None);
        };
        match said.apply(payload)?.get(MERGED_INTO) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) => Ok(Some(id.clone()).filter(|id| !id.is_empty())),
            Some(Value::Number(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(Rejection::new(
                "merged_into_no_id",
                "`merged_into` in module.yaml gives something that is no id. Correct the expression.",
            )),
        }
    }
}
