//! What a module's query selects of its records.

use std::collections::BTreeSet;

use super::document::QueryDocument;
use crate::modules::load::Module;

/// The dotted paths the module's query selects below its record.
pub fn selection_paths(module: &Module) -> BTreeSet<String> {
    let record = module.fetch.connection.join(&module.fetch.nodes);
    QueryDocument::parse(&module.query, &module.fetch.query_file)
        .map(|document| document.paths_below(&record))
        .unwrap_or_default()
}
