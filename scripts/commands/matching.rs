//! `concord matching`: trains a matching model on files and on what people decided, evaluates and explains
//! it, and matches one record against the database.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use matching::batch::{Batch, Scored};
use matching::decide::{Links, assigned, thresholds};
use matching::evaluate::{Gold, evaluate, evaluate_clusters};
use matching::explain::explain;
use matching::model::Model;
use matching::normalise::Lexicon;
use matching::spec::Spec;
use matching::train::{FEWEST, Label, Lesson, learn, worth_asking};
use serde_json::{Value, json};

use super::Answer;
use super::decisions::Decisions;
use crate::config::Config;

/// What to do with a model.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Train a model on the records of a file, or of two files that are linked; no labels are needed.
    Train(Train),
    /// Match the records of files with a model, and measure how well where the truth is known.
    Evaluate(Evaluate),
    /// Say why two records are, or are not, one.
    Explain(Explain),
    /// Say which entity of the database one record would be, as a run would decide, and write nothing.
    Resolve(super::resolve::Args),
}

/// Files of records.
#[derive(Debug, clap::Args)]
struct Files {
    /// The file, or the two that are linked: CSV with a line of names, or JSON lines.
    #[arg(required = true, num_args = 1..=2)]
    files: Vec<PathBuf>,
}

/// Training.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The specification: fields, blocking keys, comparisons.
    spec: PathBuf,
    #[command(flatten)]
    files: Files,
    /// Where to write the model: JSON where the name ends in .json, else YAML.
    #[arg(long)]
    model: PathBuf,
    /// Pairs of these records that people decided, to improve it with: id_l, id_r and match (1 or 0).
    #[arg(long)]
    labels: Option<PathBuf>,
    /// Do not learn from what people decided in the database, in `review` and `unmerge`, about the module
    /// whose specification it is.
    #[arg(long)]
    without_decisions: bool,
}

/// Measuring.
#[derive(Debug, clap::Args)]
pub struct Evaluate {
    /// The model.
    model: PathBuf,
    #[command(flatten)]
    files: Files,
    /// Pairs known to be one: id_l and id_r.
    #[arg(long)]
    gold: Option<PathBuf>,
    /// The entity of each record, and the household or group: id, entity_id, group_id.
    #[arg(long, requires = "gold")]
    truth: Option<PathBuf>,
    /// Where to write the scored pairs as CSV.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// Where to write the pairs most worth deciding by people, as CSV; with a column `match` of 1 and 0 they
    /// are labels for `train`.
    #[arg(long)]
    questions: Option<PathBuf>,
    /// How many of those.
    #[arg(long, default_value_t = 300, requires = "questions")]
    most: usize,
    /// Where to write each record's cluster as CSV.
    #[arg(long)]
    clusters: Option<PathBuf>,
}

/// Explaining.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The model.
    model: PathBuf,
    /// One record's id.
    one: String,
    /// The other's.
    other: String,
    #[command(flatten)]
    files: Files,
}

/// Runs the command.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::Train(args) => train(&args, config).await,
        Command::Evaluate(args) => measure(&args),
        Command::Explain(args) => explained(&args),
        Command::Resolve(args) => super::resolve::run(args, config).await,
    }
}

/// Pairs scored lower are of no use to anybody.
const LEAST: f32 = -10.0;

async fn train(args: &Train, config: &Config) -> anyhow::Result<Answer> {
    let text = fs::read_to_string(&args.spec).with_context(|| args.spec.display().to_string())?;
    let spec = Spec::parse(&text).with_context(|| args.spec.display().to_string())?;
    let decisions = match args.without_decisions {
        true => Decisions::default(),
        false => super::decisions::of_spec(&text, config).await?,
    };
    let batch = Batch::read(&spec, &paths(&args.files), None, &mut |_| {})?;
    let mut model = batch.train(&spec);
    let labels = match &args.labels {
        Some(labels) => read_labels(labels, &batch)?,
        None => Vec::new(),
    };
    let lesson = learn(
        &mut model,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
        &batch.facts,
        &labels,
        &decisions.shown,
    );
    model.thresholds = thresholds(&spec.decide, &batch.score(&model, LEAST));
    let written = match args
        .model
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        true => serde_json::to_string_pretty(&model)?,
        false => serde_norway::to_string(&model)?,
    };
    fs::write(&args.model, written)
        .with_context(|| format!("{} cannot be written", args.model.display()))?;
    let mut text = format!(
        "{} records. A pair is a match from {:.1} bits on, a question from {:.1}.\n",
        model.records, model.thresholds.is_match, model.thresholds.review
    );
    for population in &model.populations {
        let (matching, related) = (
            population.pairs * population.matching,
            population.pairs * population.related,
        );
        text.push_str(&format!(
            "{}: about {matching:.0} matching pairs, {related:.0} of one household or group\n",
            population.population
        ));
    }
    if decisions.module.is_none() && !args.without_decisions {
        text.push_str("No module has this very specification, so nothing that people decided in a database was learnt from.\n");
    }
    text.push_str(&told_of(lesson, &decisions));
    let json = json!({
        "model": args.model, "records": model.records, "thresholds": model.thresholds, "labels": lesson.labels,
        "module": decisions.module, "decisions": decisions.shown.len() - lesson.unfit, "decisions_left_out": lesson.unfit + decisions.unseen,
        "corrected": lesson.is_adopted,
    });
    Answer::new(text, &json)
}

fn told_of(lesson: Lesson, decisions: &Decisions) -> String {
    let mut text = String::new();
    if let Some(module) = &decisions.module {
        let (used, unfit) = (decisions.shown.len() - lesson.unfit, lesson.unfit);
        text = format!("{used} decisions of people about {module} were used");
        if unfit > 0 {
            text.push_str(&format!(
                ", {unfit} were not: they were made by other comparisons"
            ));
        }
        if decisions.unseen > 0 {
            let unseen = decisions.unseen;
            text.push_str(&format!(", {unseen} were not: no score was shown for them"));
        }
        text.push_str(".\n");
    }
    let outcome = match lesson.is_adopted {
        true => "The model was corrected.".to_owned(),
        false if lesson.labels < FEWEST => {
            format!("Fewer than {FEWEST} prove nothing: the model stays as it was without them.")
        }
        false => "That proves nothing: the model stays as it was without them.".to_owned(),
    };
    if lesson.labels > 0 {
        text.push_str(&format!(
            "{} labels in all; one that was not learnt from is foretold {:.3} bits better, give or take {:.3}. {outcome}\n",
            lesson.labels, lesson.gain, lesson.error
        ));
    }
    text
}

fn measure(args: &Evaluate) -> anyhow::Result<Answer> {
    let model = read_model(&args.model)?;
    let batch = prepared(&model, &args.files)?;
    let mut scored = batch.score(&model, LEAST);
    let decisions = batch.decide(&model, &scored, &Links::default());
    let report = batch
        .blocks
        .report(&batch.base, &pairs_of(&decisions.matches));
    if model.spec.decide.one_to_one {
        scored = assigned(&scored);
    }
    let id = |record: u32| &batch.ids[record as usize];
    if let Some(path) = &args.pairs {
        let lines = scored
            .iter()
            .map(|pair| format!("{},{},{}", id(pair.one), id(pair.other), pair.score));
        write_lines(path, "id_l,id_r,score", lines)?;
    }
    if let Some(path) = &args.questions {
        let asked = worth_asking(&scored, model.thresholds, args.most);
        let lines = asked
            .iter()
            .map(|(one, other)| format!("{},{}", id(*one), id(*other)));
        write_lines(path, "id_l,id_r", lines)?;
    }
    if let Some(path) = &args.clusters {
        let lines = decisions
            .clusters
            .iter()
            .enumerate()
            .map(|(record, cluster)| format!("{},{}", id(record as u32), id(*cluster)));
        write_lines(path, "id,cluster", lines)?;
    }
    let mut json = json!({
        "records": batch.base.records, "pairs": scored.len(), "matches": decisions.matches.len(),
        "reviews": decisions.reviews.len(), "thresholds": model.thresholds, "keys": report,
    });
    if let Some(gold) = &args.gold {
        let gold = Gold::read(&batch.ids, gold, args.truth.as_deref())?;
        json["quality"] = quality(&gold, &scored, &decisions, &model)?;
    }
    Answer::new(told(&json), &json)
}

fn quality(
    gold: &Gold,
    scored: &[Scored],
    decisions: &matching::decide::Decisions,
    model: &Model,
) -> anyhow::Result<Value> {
    let found = evaluate(gold, scored, &[model.thresholds.is_match]);
    let mut json = serde_json::to_value(found)?;
    json["clusters"] = serde_json::to_value(evaluate_clusters(gold, &decisions.clusters))?;
    Ok(json)
}

fn told(json: &Value) -> String {
    let mut text = format!(
        "{} records, {} matches, {} pairs for a person.\n",
        json["records"], json["matches"], json["reviews"]
    );
    for key in json["keys"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{:>10} pairs, {:>9} alone, {:>7} matches alone, {:>9} left out: {}\n",
            key["pairs"],
            key["alone"],
            key["matches_alone"],
            key["pairs_left_out"],
            key["key"].as_str().unwrap_or_default()
        ));
    }
    if let Some(quality) = json.get("quality") {
        let share = |value: &Value| format!("{:.4}", value.as_f64().unwrap_or_default());
        for (name, part) in [
            ("default", &quality["at"][0]),
            ("best F1", &quality["best"]),
            ("clusters", &quality["clusters"]),
        ] {
            text.push_str(&format!(
                "{name}: precision {}, recall {}, F1 {}\n",
                share(&part["precision"]),
                share(&part["recall"]),
                share(&part["f1"])
            ));
        }
        text.push_str(&format!(
            "recall at 99 % precision: {}\n",
            share(&quality["recall_at_p99"])
        ));
    }
    text
}

fn explained(args: &Explain) -> anyhow::Result<Answer> {
    let model = read_model(&args.model)?;
    let batch = prepared(&model, &args.files)?;
    let place = |wanted: &str| {
        let place = batch.ids.iter().position(|id| **id == *wanted);
        place.with_context(|| format!("no record has the id {wanted}"))
    };
    let (one, other) = (place(&args.one)?, place(&args.other)?);
    if one == other {
        bail!("{} is one record; name two.", args.one);
    }
    let explanation = explain(&batch, &model, one as u32, other as u32);
    Answer::new(explanation.to_string(), &explanation)
}

fn paths(files: &Files) -> Vec<&Path> {
    files.files.iter().map(PathBuf::as_path).collect()
}

fn read_model(path: &Path) -> anyhow::Result<Model> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_norway::from_str(&text).with_context(|| {
        format!(
            "{} is no model of this version; train it again",
            path.display()
        )
    })
}

fn prepared(model: &Model, files: &Files) -> anyhow::Result<Batch> {
    let lexicon = Lexicon::of(model.lexicon.iter().cloned());
    let batch = Batch::read(&model.spec, &paths(files), Some(lexicon), &mut |_| {})?;
    let fits = model.check(&batch.comparisons);
    fits.map_err(|fault| anyhow!("The model cannot be used: {fault}. Train it again."))?;
    Ok(batch)
}

fn pairs_of(matches: &[Scored]) -> Vec<(u32, u32)> {
    matches.iter().map(|pair| (pair.one, pair.other)).collect()
}

fn write_lines(
    path: &Path,
    names: &str,
    lines: impl Iterator<Item = String>,
) -> anyhow::Result<()> {
    let text: String = std::iter::once(names.to_owned())
        .chain(lines)
        .map(|line| line + "\n")
        .collect();
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn read_labels(path: &Path, batch: &Batch) -> anyhow::Result<Vec<Label>> {
    let columns = ["id_l", "id_r", "match"].map(str::to_owned);
    let table = matching::table::Table::read(path, &columns)?;
    let places: std::collections::HashMap<&str, u32> = batch
        .ids
        .iter()
        .enumerate()
        .map(|(at, id)| (&**id, at as u32))
        .collect();
    let mut labels = Vec::new();
    for record in 0..table.len() {
        let place = |column| {
            let id = table.value(record, column);
            places
                .get(id)
                .copied()
                .with_context(|| format!("{} names {id}, which is no record", path.display()))
        };
        let is_match = matches!(table.value(record, 2), "1" | "true" | "yes");
        labels.push(Label {
            one: place(0)?,
            other: place(1)?,
            is_match,
        });
    }
    Ok(labels)
}
