//! Matches the records of files, and says as JSON how well and how fast.

mod digest;
mod labels;
mod spent;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use matching::batch::Batch;
use matching::decide::{Links, assigned, thresholds};
use matching::evaluate::{Gold, evaluate, evaluate_clusters};
use matching::spec::Spec;
use serde_json::json;

/// Matches the records of one file with each other, or of two files with one another.
#[derive(Debug, Parser)]
struct Arguments {
    /// The specification.
    spec: PathBuf,
    /// The file, or the two.
    #[arg(required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
    /// Pairs that are matches.
    #[arg(long)]
    gold: PathBuf,
    /// Which entity and group each record is of.
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Improve the model with so many pairs most worth asking about; these pairs are not scored afterwards.
    #[arg(long, default_value_t = 0)]
    labels: usize,
}

/// Pairs scored lower are of no use to anybody.
const LEAST: f32 = -10.0;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let spec = Spec::parse(&fs::read_to_string(&arguments.spec)?).context("the specification")?;
    let files: Vec<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    let began = Instant::now();
    let (mut laps, mut before) = (Vec::new(), (0.0, 0.0));
    // The seconds of each step, by the clock and of the processors.
    let mut lap = |name: &'static str| {
        let now = (began.elapsed().as_secs_f64(), spent::spent().0);
        laps.push((name, now.0 - before.0, now.1 - before.1));
        before = now;
    };
    let batch = Batch::read(&spec, &files, None, &mut lap)?;
    let mut model = batch.train(&spec);
    lap("train");
    let mut scored = batch.score(&model, LEAST);
    lap("score");
    model.thresholds = thresholds(&spec.decide, &scored);
    let decisions = batch.decide(&model, &scored, &Links::default());
    lap("cluster");
    let seconds = began.elapsed().as_secs_f64();
    let (cpu_seconds, peak_mib) = spent::spent();
    let gold = Gold::read(&batch.ids, &arguments.gold, arguments.truth.as_deref())?;
    let taught = (arguments.labels > 0)
        .then(|| labels::taught(&batch, &model, &gold, &scored, arguments.labels))
        .transpose()?;
    if spec.decide.one_to_one {
        scored = assigned(&scored);
    }
    let mut quality = serde_json::to_value(evaluate(&gold, &scored, &[model.thresholds.is_match]))?;
    quality["clusters"] = serde_json::to_value(evaluate_clusters(&gold, &decisions.clusters))?;
    let told = json!({
        "records": batch.base.records, "scored": scored.len(), "matches": decisions.matches.len(),
        "reviews": decisions.reviews.len(), "thresholds": model.thresholds, "quality": quality,
        "seconds": seconds, "laps": laps, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib,
        "labels": taught, "digest": digest::digest(&scored, &decisions.clusters),
    });
    println!("{}", serde_json::to_string_pretty(&told)?);
    Ok(())
}
