//! The files of one module while they are read, and what is reported of them.

use super::path::Path;
use super::yaml::position_of;
use crate::diagnostic::Diagnostic;
use crate::nearest::did_you_mean;
use crate::schema::document::QueryDocument;

/// The text of `module.yaml` and where it was read from.
pub(super) struct ModuleSource<'a> {
    pub file: &'a str,
    pub yaml: &'a str,
    pub folder: &'a str,
}

impl ModuleSource<'_> {
    /// A fault at the line of the last of these keys that is written.
    pub(super) fn fault(&self, keys: &[&str], problem: String, remedy: String) -> Diagnostic {
        Diagnostic::of_file(self.file, problem, remedy).at(position_of(self.yaml, keys))
    }
}

pub(super) fn parse(
    query: &str,
    name: &str,
    place: &ModuleSource<'_>,
) -> Result<QueryDocument, Diagnostic> {
    let file = format!("{}/{name}", place.folder);
    QueryDocument::parse(query, &file).map_err(|problems| {
        problems.into_iter().next().unwrap_or_else(|| {
            Diagnostic::of_file(&file, "the query cannot be read", "Correct it.")
        })
    })
}

pub(super) fn require_selected(
    document: &QueryDocument,
    path: &Path,
    keys: &[&str],
    place: &ModuleSource<'_>,
) -> Result<(), Diagnostic> {
    if document.selects(path) {
        return Ok(());
    }
    let all = document.paths_below(&Path::default());
    let known: Vec<&str> = all.iter().map(String::as_str).collect();
    Err(place.fault(
        keys,
        format!("the query does not select `{path}`"),
        did_you_mean(
            &path.to_string(),
            &known,
            "Select it in the query, or correct the path.",
        ),
    ))
}

pub(super) fn known_path(text: &str) -> Path {
    Path::parse(text).unwrap_or_default()
}
