//! What one record says about its entity.

use serde_json::{Map, Value};

use super::method::Method;

/// What one record says about its entity.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    /// The record's source.
    pub(crate) source: String,
    /// The module that it is a record of.
    pub(crate) module: String,
    /// The record.
    pub(crate) source_id: String,
    /// How it came to be this entity.
    pub(crate) method: Method,
    /// Whether it is derived from another module's record.
    pub(crate) derived: bool,
    /// Whether the record is gone from its source.
    pub(crate) gone: bool,
    /// The columns it speaks of.
    pub(crate) columns: Map<String, Value>,
}
