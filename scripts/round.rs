//! One round of `run_sync`: every chosen module once, then those whose records they have woken.

use std::cell::Cell;
use std::collections::BTreeMap;

use fetcher::Source;
use reconciler::{Definition, Definitions};
use staging::database::Database;

use crate::arguments::Arguments;
use crate::config::Config;
use crate::progress::Screen;
use crate::report::{Line, print_dry_run, print_lines, worst_exit};
use crate::sync::{
    Away, Ended, Job, Outages, Places, Range, Stop, abreast, bring_tables, dry_run, sync_module,
    woken,
};

/// What every round needs.
pub struct Work<'a> {
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
    pub range: Range<'a>,
    /// Whether somebody asks the program to end.
    pub stop: &'a Stop,
}

/// Runs the chosen modules and those they have woken, prints a line for each, and answers the exit code.
pub async fn round(work: &Work<'_>) -> anyhow::Result<u8> {
    let outages = Outages::new(&work.config.database, work.stop);
    bring_tables(&work.database.pool, &outages, work.definitions).await?;
    let mut lines = Vec::new();
    let ended = run_each(work, &outages, &mut lines).await;
    print_lines(&lines, work.arguments.json)?;
    ended.map(|()| worst_exit(&lines))
}

/// The chosen modules, then those whose records they have woken. A database that stays away ends the round:
/// what came before is told.
async fn run_each(
    work: &Work<'_>,
    outages: &Outages<'_>,
    lines: &mut Vec<Line>,
) -> anyhow::Result<()> {
    // What a dry run shows is printed as a whole.
    let places = Places::of(work.config, work.arguments.dry_run);
    let is_away = Cell::new(false);
    let (ran, ended) = abreast(work.chosen, &places, async |definition| {
        if work.stop.is_asked() || is_away.get() {
            return Ok(None);
        }
        let source = work.sources.get(&definition.module.source);
        run_one(work, definition, source).await.or_else(|failure| {
            let away = failure.downcast::<Away>()?;
            is_away.set(true);
            Ok(Some(Line::away(definition.name(), &away)))
        })
    })
    .await;
    lines.extend(ran.into_iter().flatten());
    ended?;
    if is_away.get() {
        return Ok(());
    }
    // Parents that came have woken children of other modules, or of modules that ran before them.
    let mut before = Vec::new();
    loop {
        let mut names = woken(&work.database.pool, outages).await?;
        names.retain(|name| !lines.iter().any(|line: &Line| line.stopped(name)));
        if work.arguments.dry_run || work.stop.is_asked() || names == before {
            return Ok(());
        }
        for definition in names.iter().filter_map(|name| work.definitions.get(name)) {
            lines.extend(run_one(work, definition, None).await?);
        }
        before = names;
    }
}

async fn run_one(
    work: &Work<'_>,
    definition: &Definition,
    source: Option<&Source>,
) -> anyhow::Result<Option<Line>> {
    let arguments = work.arguments;
    let progress = work.screen.begin(definition.name());
    let outages = Outages::new(&work.config.database, work.stop);
    let job = Job {
        outages: &outages,
        pool: &work.database.pool,
        definitions: work.definitions,
        definition,
        source,
        range: work.range,
        stop: work.stop,
        actor: &arguments.actor,
        progress: &|progressed| progress.show(progressed),
    };
    if let Some(source) = source.filter(|_| arguments.dry_run) {
        let dry = dry_run(&job, source, 200).await?;
        print_dry_run(definition.name(), &dry, arguments.json)?;
        return Ok(None);
    }
    let line = match sync_module(&job).await? {
        // Nobody asked for a module that was only woken, and its holder takes up what is pending.
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
