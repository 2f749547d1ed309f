//! The scheduled job: brings production to what the sources say, module by module, parents first.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use concord::arguments::Arguments;
use concord::choice::choose;
use concord::config::{Config, open_sources};
use concord::process::{exit_code, explain, prepare};
use concord::progress::Progress;
use concord::repair::Repair;
use concord::report::{Line, print_dry_run, print_lines, worst_exit};
use concord::sync::{
    Away, Ended, Job, Outages, Range, Stop, again, bring_tables, dry_run, sync_module, woken,
};
use fetcher::Source;
use reconciler::{Definition, Definitions};
use staging::database::Database;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    prepare(arguments.log);
    match run(&arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("run_sync: {}", explain(&failure));
            ExitCode::from(exit_code(&failure))
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.modules.extend(arguments.modules.iter().cloned());
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let chosen = choose(arguments, &config, &definitions)?;
    let repair = Repair::of(arguments, &config.zone, &chosen)?;
    let sources = open_sources(
        &config,
        chosen.iter().map(|definition| &definition.module.source),
    )?;
    let stop = Stop::listen().context("Signals cannot be listened to.")?;
    let database = staging::database::open(&config.database).await?;
    let work = Work {
        arguments,
        definitions: &definitions,
        chosen: &chosen,
        sources: &sources,
        database: &database,
        outages: &Outages::new(&config.database, &stop),
        range: Repair::range(repair.as_ref(), arguments.mode),
        stop: &stop,
    };
    let result = again(arguments.watch, &stop, async || run_all(&work).await).await;
    database
        .close()
        .await
        .context("The embedded database did not stop cleanly.")?;
    result
}

/// What every round of the job needs.
struct Work<'a> {
    arguments: &'a Arguments,
    definitions: &'a Definitions,
    chosen: &'a [&'a Definition],
    sources: &'a BTreeMap<String, Source>,
    database: &'a Database,
    outages: &'a Outages<'a>,
    range: Range<'a>,
    stop: &'a Stop,
}

async fn run_all(work: &Work<'_>) -> anyhow::Result<u8> {
    bring_tables(&work.database.pool, work.outages, work.definitions).await?;
    let mut lines = Vec::new();
    let ended = run_each(work, &mut lines).await;
    print_lines(&lines, work.arguments.json)?;
    ended.map(|()| worst_exit(&lines))
}

/// The chosen modules, then those whose records they have woken. A database that stays away ends the round.
async fn run_each(work: &Work<'_>, lines: &mut Vec<Line>) -> anyhow::Result<()> {
    for definition in work.chosen {
        if !work.stop.is_asked() {
            let source = work.sources.get(&definition.module.source);
            match run_one(work, definition, source).await {
                Ok(line) => lines.extend(line),
                Err(failure) => {
                    let away = failure.downcast::<Away>()?;
                    lines.push(Line::away(definition.name(), &away));
                    return Ok(());
                }
            }
        }
    }
    // Parents that came have woken children of other modules, or of modules that ran before them.
    let mut before = Vec::new();
    loop {
        let mut names = woken(&work.database.pool, work.outages).await?;
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
    let progress = Progress::begin(definition.name(), arguments.json);
    let job = Job {
        outages: work.outages,
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
