//! Fuzz target: any bytes as a file of a module give a module or a diagnostic.

use std::sync::Arc;

use super::load::{compiled_in, read_module};

/// Replaces each file of the timeline module with the bytes in turn.
pub fn module_file(bytes: &[u8]) {
    let text: Arc<str> = String::from_utf8_lossy(bytes).into();
    for name in ["module.yaml", "query.graphql"] {
        for mut folder in compiled_in() {
            if !folder.place.ends_with("timeline") {
                continue;
            }
            folder.files.insert(name.to_owned(), text.clone());
            if let Err(fault) = read_module(folder) {
                assert!(fault.file.contains("timeline"), "{fault}");
                assert!(
                    !fault.problem.is_empty() && !fault.remedy.is_empty(),
                    "{fault}"
                );
            }
        }
    }
}
