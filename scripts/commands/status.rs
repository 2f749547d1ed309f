//! `concord status`: each module's state, and what waits for a person.

use monitoring::{Health, ModuleHealth, ModuleInfo, health};
use reconciler::contract::Contract;
use serde_json::{Map, json};
use staging::{Problem, ProblemKind, open_problems, standings};

use super::{Answer, reading};
use crate::config::Config;
use crate::table::Table;

/// State, last complete run, rows and what waits, module by module.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this module.
    #[arg(long)]
    module: Option<String>,
}

/// Change sets that wait, as many as a person would read.
const APPROVALS: i64 = 20;

/// The modules to be judged, in the order of their names.
pub fn module_infos(config: &Config) -> anyhow::Result<Vec<ModuleInfo>> {
    let modules = config.load_modules()?;
    config.check_modules(&modules)?;
    let infos = modules.into_iter().map(|module| {
        let contract = Contract::parse(
            &format!("{}/contract.yaml", module.folder.display()),
            &module.contract_yaml,
        )?;
        let source = config.sources.get(&module.source);
        Ok(ModuleInfo {
            expected_period: source.and_then(|source| source.expected_every(&module.name)),
            name: module.name,
            source: module.source,
            entity: contract.entity,
        })
    });
    infos.collect()
}

/// Shows it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    if let Some(name) = &args.module {
        config.load_module(name)?;
    }
    let mut infos = module_infos(config)?;
    infos.retain(|info| {
        args.module
            .as_ref()
            .is_none_or(|wanted| info.name == *wanted)
    });
    let (health, approvals, standings) = reading(config, async |tx| {
        let health = health(tx, &infos).await?;
        Ok((
            health,
            open_problems(tx, ProblemKind::Approval, args.module.as_deref(), APPROVALS).await?,
            standings(tx).await?,
        ))
    })
    .await?;
    let modules: Map<String, serde_json::Value> = health
        .modules
        .iter()
        .map(|module| Ok((module.name.clone(), serde_json::to_value(module)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let json = json!({
        "status": health.status, "verified_at": health.verified_at, "modules": modules, "approvals": approvals,
        "sources": health.sources,
    });
    let text = format!(
        "{}{}{}{}",
        table(&health),
        alone(&standings),
        notices(&health),
        waiting(&approvals)
    );
    Answer::new(text, &json)
}

fn table(health: &Health) -> Table {
    let headings = [
        "module",
        "state",
        "last complete run",
        "age",
        "rows",
        "pending",
        "quarantined",
        "parked",
        "in review",
        "cause",
    ];
    let mut table = Table::new(&headings);
    for module in &health.modules {
        table.row([
            module.name.clone(),
            module.status.as_str().to_owned(),
            module
                .last_sync
                .map_or_else(|| "-".to_owned(), |at| at.timestamp().to_string()),
            module.freshness.map_or_else(|| "-".to_owned(), age),
            rows(module),
            module.records_pending.to_string(),
            module.waiting.quarantined.to_string(),
            module.waiting.parked.to_string(),
            module.waiting.in_review.to_string(),
            module.cause.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn rows(module: &ModuleHealth) -> String {
    match module.rows {
        None => "-".to_owned(),
        Some(rows) if rows.exact => rows.count.to_string(),
        Some(rows) => format!("about {}", rows.count),
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Sources that are left alone because they failed, or asked for a pause.
fn alone(standings: &[(String, serde_json::Value)]) -> String {
    let line = |(source, standing): &(String, serde_json::Value)| {
        let said = |key: &str| standing[key].as_str();
        let next = said("next_try")?;
        Some(match (said("since"), said("cause")) {
            (Some(since), Some(cause)) => format!(
                "\n{source} is left alone since {since}, because it failed again and again ({cause}). Next try after {next}.\n"
            ),
            _ => format!("\n{source} asked for a pause. Next try after {next}.\n"),
        })
    };
    standings.iter().filter_map(line).collect()
}

/// What is no trouble yet: credentials that end soon, and what sources have gained.
fn notices(health: &Health) -> String {
    let ending = health.sources.iter().filter_map(|(name, source)| {
        let end = source.credentials_end.filter(|_| source.credentials_end_soon)?;
        Some(format!(
            "\nThe credentials of {name} end at {}. Renew the key, or `concord source login {name}`, before that.\n",
            end.timestamp()
        ))
    });
    let grown = health.modules.iter().filter_map(|module| {
        let new = module.new_at_source.join("; ");
        (!new.is_empty()).then(|| {
            format!(
                "\n{}: its source has something new that the module does not use: {new}.\n",
                module.name
            )
        })
    });
    ending.chain(grown).collect()
}

fn waiting(approvals: &[Problem]) -> String {
    let line = |problem: &Problem| {
        format!(
            "\n{} waits: {}\n  `concord approve {} --reason …` lets it pass.\n",
            problem.module, problem.why, problem.problem_id
        )
    };
    approvals.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_said_in_the_largest_unit_that_still_tells() {
        let ages: Vec<String> = [0, 59, 60, 7199, 7200, 172_799, 172_800].map(age).into();
        assert_eq!(
            ages,
            ["0 s", "59 s", "1 min", "119 min", "2 h", "47 h", "2 d"]
        );
    }
}
