//! Matches the records of files and measures how well and how fast.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;
use matching::batch::Batch;
use matching::evaluate::{Gold, evaluate, evaluate_clusters};
use matching::spec::Spec;

/// Matches the records of one file with each other, or of two files with one another.
#[derive(Debug, Parser)]
struct Arguments {
    /// The specification.
    spec: PathBuf,
    /// The file, or the two.
    files: Vec<PathBuf>,
    /// Pairs that are matches, for measuring.
    #[arg(long)]
    gold: Option<PathBuf>,
    /// Which entity and group each record is of, for measuring.
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Where to write the model.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Where to write scored pairs.
    #[arg(long)]
    pairs: Option<PathBuf>,
    /// The lowest score that is kept.
    #[arg(long, default_value_t = -10.0, allow_hyphen_values = true)]
    least: f32,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let spec = Spec::parse(&std::fs::read_to_string(&arguments.spec)?)?;
    let files: Vec<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    let began = Instant::now();
    let lap = |what: &str| eprintln!("{:8.2} s {what}", began.elapsed().as_secs_f64());
    let batch = Batch::read(&spec, &files, None)?;
    lap("read and blocked");
    let mut model = batch.train(&spec);
    if std::env::var("ORACLE").is_ok() {
        let gold = Gold::read(
            &batch.ids,
            arguments.gold.as_deref().unwrap(),
            arguments.truth.as_deref(),
        )?;
        let seen = {
            let own: Vec<usize> = (0..batch.base.records)
                .map(|r| {
                    batch
                        .comparisons
                        .population(&batch.base, &batch.facts, r, r)
                })
                .collect();
            matching::train::random(&batch.base, &batch.facts, &batch.comparisons, &own)
        };
        let mut cases = vec![Vec::new(); model.populations.len()];
        let mut partners = Vec::new();
        for one in 0..batch.base.records {
            batch.blocks.partners(&batch.base, one, &mut partners);
            for (other, _) in &partners {
                let reached = batch
                    .comparisons
                    .reach(&batch.base, &batch.facts, one, *other);
                let class = if gold.pairs.contains(&(one, *other)) {
                    0
                } else if !gold.groups.is_empty()
                    && gold.groups[one as usize] == gold.groups[*other as usize]
                {
                    1
                } else {
                    2
                };
                let levels = (0..batch.comparisons.list.len())
                    .map(|at| reached.pattern.level(at))
                    .collect();
                cases[reached.population].push((
                    matching::train::Case {
                        levels,
                        rarity: [0.0; 3],
                        count: 1.0,
                    },
                    class,
                ));
            }
        }
        for (number, population) in model.populations.iter_mut().enumerate() {
            let covered = batch.comparisons.covered(&batch.keys);
            let learning = matching::train::Learning {
                comparisons: &batch.comparisons,
                covered: &covered,
                seen: &seen.levels[number],
                looked_at: seen.pairs[number],
                is_taught: true,
            };
            matching::train::taught(population, &learning, &cases[number]);
        }
    }
    lap("trained");
    if let (Some(count), Some(gold)) = (
        std::env::var("LABELS")
            .ok()
            .and_then(|n| n.parse::<usize>().ok()),
        &arguments.gold,
    ) {
        let gold = Gold::read(&batch.ids, gold, arguments.truth.as_deref())?;
        let mut near = batch.score(&model, -6.0);
        near.retain(|pair| pair.score < 9.0);
        let step = (near.len() / count).max(1);
        let labels: Vec<_> = near
            .iter()
            .step_by(step)
            .map(|pair| matching::train::Label {
                one: pair.one,
                other: pair.other,
                is_match: gold.pairs.contains(&(pair.one, pair.other)),
            })
            .collect();
        matching::train::learn(
            &mut model,
            &batch.comparisons,
            &batch.layout,
            &batch.base,
            &batch.facts,
            &labels,
        );
        eprintln!(
            "{} labels, scales {:?}",
            labels.len(),
            model.populations[0]
                .comparisons
                .iter()
                .map(|c| c.scale)
                .collect::<Vec<_>>()
        );
    }
    let mut scored = batch.score(&model, arguments.least);
    lap(&format!("scored {} pairs", scored.len()));
    model.thresholds = matching::decide::thresholds(&spec.decide, &scored);
    let decisions = batch.decide(&model, &scored, &Default::default());
    if spec.decide.one_to_one {
        scored = matching::decide::assigned(&scored);
    }
    lap("decided");
    if let Some(path) = &arguments.model {
        std::fs::write(path, serde_norway::to_string(&model.populations)?)?;
    }
    if let Some(path) = &arguments.pairs {
        let mut text = String::from("id_l,id_r,score\n");
        for pair in &scored {
            text.push_str(&format!(
                "{},{},{}\n",
                batch.ids[pair.one as usize], batch.ids[pair.other as usize], pair.score
            ));
        }
        std::fs::write(path, text)?;
    }
    if let (Ok(path), Some(gold)) = (std::env::var("PATTERNS"), &arguments.gold) {
        let gold = Gold::read(&batch.ids, gold, arguments.truth.as_deref())?;
        let mut patterns: std::collections::BTreeMap<u64, (f64, u32, u32, u32, String)> =
            Default::default();
        for pair in &scored {
            let reached = batch
                .comparisons
                .reach(&batch.base, &batch.facts, pair.one, pair.other);
            let entry = patterns.entry(reached.pattern.0).or_default();
            entry.0 += f64::from(pair.score);
            entry.1 += 1;
            entry.2 += u32::from(gold.pairs.contains(&(pair.one, pair.other)));
            if !gold.groups.is_empty() {
                entry.3 +=
                    u32::from(gold.groups[pair.one as usize] == gold.groups[pair.other as usize]);
            }
            if entry.4.is_empty() {
                entry.4 = format!(
                    "{} {}",
                    batch.ids[pair.one as usize], batch.ids[pair.other as usize]
                );
            }
        }
        let mut text = String::new();
        for (pattern, (score, count, right, group, example)) in patterns {
            let population = (pattern >> 60) as usize;
            let labels: Vec<String> = batch
                .comparisons
                .list
                .iter()
                .enumerate()
                .map(|(at, c)| {
                    let level = (pattern >> (4 * at) & 15) as usize;
                    c.levels.get(level).map_or("-".into(), |l| l.label.clone())
                })
                .collect();
            text += &format!(
                "{:.2}\t{count}\t{right}\t{group}\t{population}\t{}\t{example}\n",
                score / f64::from(count),
                labels.join(" | ")
            );
        }
        std::fs::write(path, text)?;
    }
    if let Some(gold) = &arguments.gold {
        let gold = Gold::read(&batch.ids, gold, arguments.truth.as_deref())?;
        let mut found = serde_json::to_value(evaluate(
            &gold,
            &scored,
            &[-3.0, 0.0, 2.0, 3.17, 5.0, 6.63, 10.0],
        ))?;
        found["thresholds"] = serde_json::to_value(model.thresholds)?;
        found["clusters"] = serde_json::to_value(evaluate_clusters(&gold, &decisions.clusters))?;
        let mut counts = std::collections::BTreeMap::<String, (u32, u32)>::new();
        for review in &decisions.reviews {
            let count = counts.entry(format!("{:?}", review.reason)).or_default();
            count.0 += 1;
            count.1 += u32::from(gold.pairs.contains(&(review.pair.one, review.pair.other)));
        }
        found["reviews"] = serde_json::to_value(counts)?;
        let right = decisions
            .matches
            .iter()
            .filter(|pair| gold.pairs.contains(&(pair.one, pair.other)))
            .count();
        found["matches"] = serde_json::json!([decisions.matches.len(), right]);
        println!("{}", serde_json::to_string_pretty(&found)?);
        lap("evaluated");
    }
    Ok(())
}
