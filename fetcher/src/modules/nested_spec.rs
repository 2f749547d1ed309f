//! The other queries of a module: `nested` reads nested connections to their end, `recheck` reads one record
//! by its id.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::module_file::{ModuleSource, known_path, parse, require_selected};
use super::path::Path;
use super::spec::{Nested, NestedFile, Recheck, RecheckFile};
use crate::diagnostic::Diagnostic;
use crate::nearest::did_you_mean;
use crate::schema::document::QueryDocument;

/// The query file that a block of `fetch` names.
fn query_of<'f>(
    block: &str,
    name: &str,
    files: &'f BTreeMap<String, Arc<str>>,
    place: &ModuleSource<'_>,
) -> Result<(&'f Arc<str>, QueryDocument), Diagnostic> {
    let Some(query) = files.get(name) else {
        return Err(place.fault(
            &["fetch", block, "query"],
            format!("the {block} query file `{name}` is not in the folder"),
            "Add the file, or correct its name.".to_owned(),
        ));
    };
    Ok((query, parse(query, name, place)?))
}

pub(super) fn recheck_of(
    entry: RecheckFile,
    files: &BTreeMap<String, Arc<str>>,
    place: &ModuleSource<'_>,
) -> Result<Recheck, Diagnostic> {
    let (query, document) = query_of("recheck", &entry.query, files, place)?;
    require_selected(&document, &entry.at, &["fetch", "recheck", "at"], place)?;
    let declared = document.variables();
    if !declared.contains(&entry.variable.as_str()) {
        return Err(place.fault(
            &["fetch", "recheck", "variable"],
            format!("`{}` does not declare `${}`", entry.query, entry.variable),
            did_you_mean(&entry.variable, &declared, "Declare it in that query."),
        ));
    }
    Ok(Recheck {
        file: entry.query,
        query: query.clone(),
        variable: entry.variable,
        at: entry.at,
    })
}

pub(super) fn nested_of(
    entry: NestedFile,
    files: &BTreeMap<String, Arc<str>>,
    place: &ModuleSource<'_>,
) -> Result<Nested, Diagnostic> {
    let (query, document) = query_of("nested", &entry.query, files, place)?;
    for below in ["pageInfo.hasNextPage", "pageInfo.endCursor"] {
        let path = entry.connection.join(&known_path(below));
        require_selected(&document, &path, &["fetch", "nested", "connection"], place)?;
    }
    let declared = document.variables();
    let cursor_variable = entry.cursor_variable.unwrap_or_else(|| "after".to_owned());
    let names = entry.variables.keys().map(String::as_str);
    for name in names.chain([cursor_variable.as_str()]) {
        if !declared.contains(&name) {
            return Err(place.fault(
                &["fetch", "nested"],
                format!("`{}` does not declare `${name}`", entry.query),
                did_you_mean(name, &declared, "Declare it in that query."),
            ));
        }
    }
    let paths = entry
        .variables
        .iter()
        .filter_map(|(name, value)| match value {
            Value::String(text) if text.starts_with('.') => Some((name, text)),
            _ => None,
        });
    for (name, text) in paths {
        Path::parse(text).map_err(|problem| {
            place.fault(
                &["fetch", "nested", name],
                problem,
                "Correct the path.".to_owned(),
            )
        })?;
    }
    let size_variable = entry.size_variable.unwrap_or_else(|| "first".to_owned());
    Ok(Nested {
        at: entry.at,
        file: entry.query,
        query: query.clone(),
        connection: entry.connection,
        variables: entry.variables,
        cursor_variable,
        size_variable: declared
            .contains(&size_variable.as_str())
            .then_some(size_variable),
        size: entry.size.unwrap_or(100).max(1),
    })
}
