//! Promises of the matcher as a whole, on small invented records.

mod hostile;
mod promises;
mod records;
