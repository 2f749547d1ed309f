//! `concord module check`.

use std::fs;
use std::path::{Path, PathBuf};

use fetcher::{Diagnostic, Module, QueryDocument};
use reconciler::Definitions;
use reconciler::contract::Contract;
use serde::Serialize;

use super::fault::{contract_fault, definition_fault};
use super::reconcile_part::reconcile_faults;
use super::schema::{query_faults, schema_of};
use super::target::Target;
use crate::commands::Answer;
use crate::config::Config;
use crate::process::EXIT_USAGE;

/// Which module, and against which schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module's name, or its folder.
    pub module: String,
    /// A schema to compare the query with, in place of the source's own.
    #[arg(long, value_name = "FILE")]
    pub source_schema: Option<PathBuf>,
}

#[derive(Serialize)]
struct Checked {
    module: String,
    ok: bool,
    schema: String,
    faults: Vec<Diagnostic>,
    notes: Vec<String>,
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let target = Target::of(&args.module);
    let checked = match target.load(config) {
        Err(error) => unloadable(&args.module, &target, error),
        Ok(modules) => {
            examine(
                target.find(&modules)?,
                &modules,
                args.source_schema.as_deref(),
                config,
            )
            .await?
        }
    };
    let mut lines: Vec<String> = checked.faults.iter().map(ToString::to_string).collect();
    lines.extend(checked.notes.iter().map(|note| format!("note: {note}")));
    lines.push(match checked.faults.len() {
        0 => format!(
            "{} is sound; its query was {}.",
            checked.module, checked.schema
        ),
        1 => "1 fault.".to_owned(),
        many => format!("{many} faults."),
    });
    let exit = if checked.ok { 0 } else { EXIT_USAGE };
    Ok(Answer::new(lines.join("\n"), &checked)?.ending_with(exit))
}

async fn examine(
    module: &Module,
    all: &[Module],
    schema: Option<&Path>,
    config: &Config,
) -> anyhow::Result<Checked> {
    let known: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
    let schema = schema_of(module, schema, config).await?;
    let mut faults = reconcile_faults(module, &known);
    faults.extend(
        schema
            .sdl
            .as_deref()
            .map(|sdl| query_faults(module, sdl))
            .unwrap_or_default(),
    );
    if faults.is_empty() {
        // What a run would do first; it knows best.
        faults.extend(
            Definitions::compile(all, &config.zone)
                .err()
                .map(definition_fault),
        );
    }
    faults.sort();
    faults.dedup();
    Ok(Checked {
        module: module.name.clone(),
        ok: faults.is_empty(),
        schema: schema.from,
        faults,
        notes: schema.note.into_iter().collect(),
    })
}

/// A folder that cannot be loaded: its first fault, and whatever its other files have.
fn unloadable(name: &str, target: &Target, error: Diagnostic) -> Checked {
    let mut faults = vec![error];
    if let Target::Folder(folder) = target {
        let read = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path)
                .ok()
                .map(|text| (path.display().to_string(), text))
        };
        if let Some((file, text)) = read("contract.yaml") {
            faults.extend(Contract::parse(&file, &text).err().map(contract_fault));
        }
        if let Some((file, text)) = read("query.graphql") {
            faults.extend(
                QueryDocument::parse(&text, &file)
                    .err()
                    .into_iter()
                    .flatten(),
            );
        }
    }
    faults.sort();
    faults.dedup();
    let note = "The folder could not be loaded, so its parts were not compared with each other."
        .to_owned();
    Checked {
        module: name.to_owned(),
        ok: false,
        schema: "compared with no schema".to_owned(),
        faults,
        notes: vec![note],
    }
}
