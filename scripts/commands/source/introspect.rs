//! `concord source introspect`.

use std::path::PathBuf;

use anyhow::Context;
use fetcher::introspect;
use serde_json::json;

use super::opened_once;
use crate::commands::Answer;
use crate::config::Config;

/// Which source, and where its schema goes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The source's name, as in `[sources.NAME]`.
    name: String,
    /// The file to write; standard output by default.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let source = opened_once(config, &args.name)?;
    let sdl = introspect(&source).await?;
    let json = json!({ "source": args.name, "out": args.out, "schema": sdl.0 });
    let Some(file) = args.out else {
        return Answer::new(sdl.0, &json);
    };
    std::fs::write(&file, &sdl.0).with_context(|| {
        format!(
            "{} cannot be written. Choose another path with --out.",
            file.display()
        )
    })?;
    Answer::new(
        format!("The schema of {} is in {}.", args.name, file.display()),
        &json,
    )
}
