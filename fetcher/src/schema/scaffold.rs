//! Writes the first version of a module folder.
use std::collections::BTreeMap;

use super::sdl::Sdl;

/// Why no module can be written from a schema.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct ScaffoldError {
    /// What is wrong.
    pub problem: String,
}

/// Writes the files of a new module from the source's schema.
pub fn scaffold(
    _name: &str,
    _source: &str,
    _sdl: &Sdl,
) -> Result<BTreeMap<String, String>, ScaffoldError> {
    Ok(BTreeMap::new())
}
