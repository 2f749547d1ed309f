//! `merged_into`: records that the source itself merged into others.

use crate::mapping::{Expression, Mapping, MappingError};

/// The key of `reconcile`.
pub(super) const MERGED_INTO: &str = "merged_into";

/// Compiles the expression of `file`.
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
