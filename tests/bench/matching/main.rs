//! Matches the records of files, and says as JSON how well and how fast.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use matching::batch::Batch;
use matching::decide::{Links, assigned, thresholds};
use matching::evaluate::{Gold, evaluate, evaluate_clusters};
use matching::spec::Spec;
use matching::train::{Label, learn};
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
    /// Improve the model with so many pairs near the threshold, decided by the truth.
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
    let mut laps = Vec::new();
    let mut lap = |name: &str| laps.push((name.to_owned(), began.elapsed().as_secs_f64()));
    let batch = Batch::read(&spec, &files, None)?;
    lap("read");
    let mut model = batch.train(&spec);
    lap("trained");
    if arguments.labels > 0 {
        let gold = Gold::read(&batch.ids, &arguments.gold, None)?;
        let labels = near(&batch, &model, &gold, arguments.labels);
        learn(
            &mut model,
            &batch.comparisons,
            &batch.layout,
            &batch.base,
            &batch.facts,
            &labels,
        );
    }
    let mut scored = batch.score(&model, LEAST);
    lap("scored");
    model.thresholds = thresholds(&spec.decide, &scored);
    let decisions = batch.decide(&model, &scored, &Links::default());
    lap("decided");
    let (cpu_seconds, peak_mib) = spent();
    if spec.decide.one_to_one {
        scored = assigned(&scored);
    }
    let gold = Gold::read(&batch.ids, &arguments.gold, arguments.truth.as_deref())?;
    let mut quality = serde_json::to_value(evaluate(&gold, &scored, &[model.thresholds.is_match]))?;
    quality["clusters"] = serde_json::to_value(evaluate_clusters(&gold, &decisions.clusters))?;
    let told = json!({
        "records": batch.base.records, "scored": scored.len(), "matches": decisions.matches.len(),
        "reviews": decisions.reviews.len(), "thresholds": model.thresholds, "quality": quality,
        "seconds": laps.last().map_or(0.0, |(_, seconds)| *seconds), "laps": laps,
        "cpu_seconds": cpu_seconds, "peak_mib": peak_mib,
    });
    println!("{}", serde_json::to_string_pretty(&told)?);
    Ok(())
}

/// Pairs a person would be asked about, evenly over the scores.
fn near(batch: &Batch, model: &matching::model::Model, gold: &Gold, count: usize) -> Vec<Label> {
    let mut pairs = batch.score(model, -6.0);
    pairs.retain(|pair| pair.score < 9.0);
    pairs.sort_by(|one, other| one.score.total_cmp(&other.score));
    let step = (pairs.len() / count).max(1);
    let label = |pair: &matching::batch::Scored| Label {
        one: pair.one,
        other: pair.other,
        is_match: gold.pairs.contains(&(pair.one, pair.other)),
    };
    pairs.iter().step_by(step).take(count).map(label).collect()
}

/// The process's CPU seconds and peak memory in MiB, where the system tells them.
fn spent() -> (f64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|t| t.parse::<f64>().ok());
    (ticks.sum::<f64>() / 100.0, peak.unwrap_or_default() / 1024)
}
