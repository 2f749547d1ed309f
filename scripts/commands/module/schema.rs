//! A module's queries held against a schema: the source's own, a file's, or the folder's.

use std::fs;
use std::path::Path;

use anyhow::Context;
use fetcher::{Diagnostic, Module, check_query, introspect};

use crate::commands::source::opened_once;
use crate::config::Config;
use crate::process::explain;

/// The schema to compare with, where it came from, and what is to be said about that.
pub struct Schema {
    /// The schema in SDL; `None` where there is none to be had.
    pub sdl: Option<String>,
    /// What was done with it, as the end of a sentence.
    pub from: String,
    /// Why it is not the source's own.
    pub note: Option<String>,
}

/// The schema in `file`, else the configured source's, else the one in the module's folder or above it.
pub async fn schema_of(
    module: &Module,
    file: Option<&Path>,
    config: &Config,
) -> anyhow::Result<Schema> {
    if let Some(file) = file {
        let sdl = fs::read_to_string(file).with_context(|| {
            format!(
                "{} cannot be read. Correct --source-schema.",
                file.display()
            )
        })?;
        return Ok(Schema {
            sdl: Some(sdl),
            from: format!("compared with {}", file.display()),
            note: None,
        });
    }
    let note = if config.sources.contains_key(&module.source) {
        match introspected(&module.source, config).await {
            Ok(sdl) => {
                return Ok(Schema {
                    sdl: Some(sdl),
                    from: format!("compared with the source `{}`", module.source),
                    note: None,
                });
            }
            Err(failure) => format!(
                "The source `{}` did not give its schema: {}",
                module.source,
                explain(&failure)
            ),
        }
    } else {
        format!(
            "The source `{}` is not configured, so its own schema was not asked for.",
            module.source
        )
    };
    let (sdl, from) = match &module.schema {
        Some(sdl) => (
            Some(sdl.to_string()),
            "compared with schema.graphql".to_owned(),
        ),
        None => (
            None,
            "compared with no schema, for there is none here".to_owned(),
        ),
    };
    Ok(Schema {
        sdl,
        from,
        note: Some(note),
    })
}

async fn introspected(name: &str, config: &Config) -> anyhow::Result<String> {
    let source = opened_once(config, name)?;
    Ok(introspect(&source).await?.0)
}

/// The faults of the module's query and of those that follow its nested connections.
pub fn query_faults(module: &Module, sdl: &str) -> Vec<Diagnostic> {
    let nested = module.fetch.nested.iter().map(|nested| &nested.query);
    let queries = std::iter::once(&module.query).chain(nested);
    let faults = queries.flat_map(|query| check_query(sdl, query, &file_of(module, query)));
    let mut faults: Vec<Diagnostic> = faults.collect();
    // A schema that does not hold together is one fault, however many queries it was to be compared with.
    faults.dedup();
    faults
}

/// The file of the folder that holds this query.
fn file_of(module: &Module, query: &str) -> String {
    let entries = fs::read_dir(&module.folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let holds = |path: &std::path::PathBuf| {
        path.extension().is_some_and(|kind| kind == "graphql")
            && fs::read_to_string(path).is_ok_and(|text| text == query)
    };
    let found = entries.into_iter().find(holds);
    found
        .unwrap_or_else(|| module.folder.join("query.graphql"))
        .display()
        .to_string()
}
