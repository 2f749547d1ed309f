//! `concord matching resolve`: which entity one record would be.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use reconciler::Definitions;
use reconciler::entity_resolution::{Decision, Likely, Resolution, Verdict, resolve};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Answer, reading};
use crate::config::Config;
use crate::process::UsageError;

/// Which record, of which module.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module whose record it would be.
    module: String,
    /// A file with a JSON object whose keys are columns of the module's contract, or several, one after the
    /// other.
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
    let records = serde_json::Deserializer::from_str(&text).into_iter::<Map<String, Value>>();
    let records: Vec<Map<String, Value>> = records
        .collect::<Result<_, _>>()
        .with_context(|| format!("{place} holds something else than JSON objects of columns"))?;
    let found = reading(config, async |tx| {
        let mut found = Vec::with_capacity(records.len());
        for row in &records {
            let began = Instant::now();
            let resolution = resolve(tx, definition, row).await?;
            let ms = began.elapsed().as_secs_f64() * 1e3;
            found.push(Resolved { resolution, ms });
        }
        Ok(found)
    })
    .await?;
    let lines: Vec<String> = found.iter().map(|found| said(&found.resolution)).collect();
    match found.as_slice() {
        [one] => Answer::new(lines.join("\n"), one),
        all => Answer::new(lines.join("\n"), &all),
    }
}

/// The decision about a record, and how long it took.
#[derive(Serialize)]
struct Resolved {
    #[serde(flatten)]
    resolution: Resolution,
    ms: f64,
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
