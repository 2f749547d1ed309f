//! One round of `run_sync`: every chosen module once, then those that have pending records because of them.

use std::cell::Cell;
use std::collections::BTreeMap;

use fetcher::Source;
use reconciler::{Definition, Definitions};
use runner::{
    Concurrency, Ended, Job, ReadRange, Retry, RunError, Shutdown, dry_run, modules_with_pending,
    prepare_tables, run_module, run_modules,
};
use staging::database::Database;

use crate::arguments::Arguments;
use crate::config::Config;
use crate::progress::Screen;
use crate::report::{Line, print_dry_run, print_lines, worst_exit};

/// The most modules that run at once, whatever the sources allow.
const MODULES_AT_ONCE: usize = 4;
/// The most rows that a dry run shows.
const SHOWN_ROWS: i64 = 200;

/// What every round needs.
pub struct Round<'a> {
    /// What `run_sync` was told.
    pub arguments: &'a Arguments,
    /// The configuration.
    pub config: &'a Config,
    /// Where progress is shown.
    pub screen: Screen,
    /// All modules.
    pub definitions: &'a Definitions,
    /// Those to run, parents first.
    pub chosen: &'a [&'a Definition],
    /// The sources of those, by name.
    pub sources: &'a BTreeMap<String, Source>,
    /// The database.
    pub database: &'a Database,
    /// How much of a source is read.
    pub range: ReadRange<'a>,
    /// Whether the program is asked to end.
    pub shutdown: &'a Shutdown,
}

/// Runs the chosen modules and those that have pending records because of them, prints a line for each, and
/// returns the exit code.
pub async fn run_round(round: &Round<'_>) -> anyhow::Result<u8> {
    let retry = Retry::new(&round.config.database, round.shutdown);
    prepare_tables(&round.database.pool, &retry, round.definitions).await?;
    let mut lines = Vec::new();
    let ended = run_each(round, &retry, &mut lines).await;
    print_lines(&lines, round.arguments.json)?;
    ended?;
    Ok(worst_exit(&lines))
}

/// The chosen modules, then those with pending records. A database that stays away ends the round; the
/// modules before keep their lines.
async fn run_each(
    round: &Round<'_>,
    retry: &Retry<'_>,
    lines: &mut Vec<Line>,
) -> Result<(), RunError> {
    let is_away = Cell::new(false);
    let run = async |definition: &Definition| -> Result<Option<Line>, RunError> {
        if round.shutdown.is_requested() || is_away.get() {
            return Ok(None);
        }
        let source = round.sources.get(&definition.module.source);
        run_one(round, definition, source).await.or_else(|failure| {
            let away = failure.into_away()?;
            is_away.set(true);
            Ok(Some(Line::away(definition.name(), &away)))
        })
    };
    let (ran, ended) = run_modules(round.chosen, &concurrency(round), run).await;
    lines.extend(ran.into_iter().flatten());
    ended?;
    if is_away.get() {
        return Ok(());
    }
    // Parents that arrived make children pending, of other modules or of modules that ran before them.
    let mut before = Vec::new();
    loop {
        let mut names = modules_with_pending(&round.database.pool, retry).await?;
        names.retain(|name| !lines.iter().any(|line: &Line| line.stopped(name)));
        if round.arguments.dry_run || round.shutdown.is_requested() || names == before {
            return Ok(());
        }
        for definition in names.iter().filter_map(|name| round.definitions.get(name)) {
            lines.extend(run_one(round, definition, None).await?);
        }
        before = names;
    }
}

/// As configured: different sources do not wait for each other, and each says how many of its modules may
/// run. What a dry run shows must not be mixed.
fn concurrency<'a>(round: &Round<'a>) -> Concurrency<'a> {
    let sources = round.config.sources.iter();
    Concurrency {
        total: match round.arguments.dry_run {
            true => 1,
            false => MODULES_AT_ONCE,
        },
        per_source: sources
            .map(|(name, source)| (name.as_str(), source.modules_at_once.get()))
            .collect(),
    }
}

async fn run_one(
    round: &Round<'_>,
    definition: &Definition,
    source: Option<&Source>,
) -> Result<Option<Line>, RunError> {
    let arguments = round.arguments;
    let progress = round.screen.begin(definition.name());
    let retry = Retry::new(&round.config.database, round.shutdown);
    let job = Job {
        retry: &retry,
        pool: &round.database.pool,
        definitions: round.definitions,
        definition,
        source,
        range: round.range,
        shutdown: round.shutdown,
        actor: &arguments.actor,
        progress: &|made| progress.show(made),
    };
    if let Some(source) = source.filter(|_| arguments.dry_run) {
        let dry = dry_run(&job, source, SHOWN_ROWS).await?;
        print_dry_run(definition.name(), &dry, arguments.json);
        return Ok(None);
    }
    let line = match run_module(&job).await? {
        // Nobody asked for a module that only has pending records, and its holder takes them up.
        Ended::Held(_) if source.is_none() => return Ok(None),
        Ended::Held(holder) => Line::held(definition.name(), &holder),
        Ended::Ran {
            run_id,
            resumed,
            outcome,
        } => Line::ran(definition.name(), run_id, resumed, &outcome),
    };
    progress.end(&line.summary());
    Ok(Some(line))
}
