//! `concord matching resolve`: which entity one record would be.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use reconciler::Definitions;
use reconciler::matching::{Decision, Likely, Resolution, Verdict, resolve};
use serde_json::{Map, Value};

use super::{Answer, reading};
use crate::config::Config;
use crate::process::UsageError;

/// One record against the base.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module whose record it would be.
    module: String,
    /// A file with one JSON object: columns of the module's contract.
    #[arg(long, value_name = "FILE")]
    record: PathBuf,
}

/// Says which entity it would be, and writes nothing.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let definition = definitions
        .get(&args.module)
        .ok_or_else(|| UsageError(format!("There is no module `{}`.", args.module)))?;
    let place = args.record.display().to_string();
    let text = fs::read_to_string(&args.record).with_context(|| place.clone())?;
    let row: Map<String, Value> = serde_json::from_str(&text)
        .with_context(|| format!("{place} is not one JSON object of columns"))?;
    let found = reading(config, async |tx| Ok(resolve(tx, definition, &row).await?)).await?;
    Answer::new(said(&found), &found)
}

fn said(found: &Resolution) -> String {
    let likely = |likely: &Likely| format!("{} ({:.1} bits)", likely.entity_id, likely.score);
    match found {
        Resolution::ExactKey(Decision::Match { entity_id, keys }) => {
            format!("It is {entity_id}: the same {}.", keys.join(", "))
        }
        Resolution::ExactKey(Decision::Review { entities }) => {
            format!(
                "A person must say: it shares exact keys with {}.",
                entities.join(", ")
            )
        }
        Resolution::Score(Verdict::Match(best)) => format!("It is {}.", likely(best)),
        Resolution::Score(Verdict::Review { candidates }) => {
            let all: Vec<String> = candidates.iter().map(likely).collect();
            format!("A person must say: it may be {}.", all.join(" or "))
        }
        Resolution::ExactKey(Decision::NoMatch)
        | Resolution::Score(Verdict::NoMatch | Verdict::Later) => "It is nobody known.".to_owned(),
    }
}
