//! `run_sync`: brings production to what the sources say, module by module, parents first.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use reconciler::Definitions;
use runner::{Hosts, Shutdown};

use crate::arguments::Arguments;
use crate::config::{Config, open_sources};
use crate::module_selection::select_modules;
use crate::process::{exit_code, explain, prepare, say};
use crate::progress::Screen;
use crate::repair_range::RepairRange;
use crate::round::{Round, run_round};
use crate::watch::repeat;

/// Reads the command line, does the job, and returns the exit code.
pub async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    prepare(arguments.log);
    match run(&arguments).await {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            say(&format!("run_sync: {}", explain(&failure)));
            ExitCode::from(exit_code(&failure))
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut config = Config::load(arguments.config.as_deref())?;
    config.modules.extend(arguments.modules.iter().cloned());
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let chosen = select_modules(arguments, &config, &definitions)?;
    let repair = RepairRange::of(arguments, &config.zone, &chosen)?;
    let sources = open_sources(
        &config,
        chosen.iter().map(|definition| &definition.module.source),
    )?;
    let shutdown = Shutdown::listen().context("The signal handlers could not be installed.")?;
    let database = staging::database::open(&config.database).await?;
    let hosts = match arguments.dry_run {
        // It writes nothing, and keeps to this host's last share.
        true => None,
        false => Some(Hosts::announce(&database.pool, sources.values()).await),
    };
    let round = Round {
        arguments,
        config: &config,
        screen: Screen::new(arguments.json),
        definitions: &definitions,
        chosen: &chosen,
        sources: &sources,
        database: &database,
        range: RepairRange::range(repair.as_ref(), arguments.mode),
        shutdown: &shutdown,
    };
    let result = repeat(arguments.watch, &shutdown, async || run_round(&round).await).await;
    if let Some(hosts) = hosts {
        hosts.leave().await;
    }
    database
        .close()
        .await
        .context("The embedded database did not stop cleanly.")?;
    result
}
