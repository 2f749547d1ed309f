//! Tests of the matcher as a whole, on small sets of test records.

mod flat;
mod hostile;
mod labels;
mod plain;
mod promises;
pub(crate) mod records;
