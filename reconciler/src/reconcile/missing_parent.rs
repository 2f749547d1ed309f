//! Parents that records name, there or missing.

use std::collections::HashMap;

use crate::definition::Missing;

/// The parents that a set of rows refers to: (parent module, raw id) to entity.
pub(crate) type Parents = HashMap<(String, String), String>;

/// A parent that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MissingParent {
    pub(crate) column: String,
    pub(crate) module: String,
    pub(crate) raw: String,
    pub(crate) fallback: Missing,
}

impl MissingParent {
    pub(super) fn name(&self) -> (String, String) {
        (self.module.clone(), self.raw.clone())
    }
}
