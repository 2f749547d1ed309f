//! The scheduled job: brings production to what the sources say, module by module, parents first.

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use concord::arguments::Arguments;
use concord::choice::choose;
use concord::config::{Config, open_sources};
use concord::process::{exit_code, explain, prepare, say};
use concord::progress::Screen;
use concord::repair::Repair;
use concord::round::{Work, round};
use concord::sync::{Hosts, Stop, again};
use reconciler::Definitions;

#[tokio::main]
async fn main() -> ExitCode {
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
    let chosen = choose(arguments, &config, &definitions)?;
    let repair = Repair::of(arguments, &config.zone, &chosen)?;
    let sources = open_sources(
        &config,
        chosen.iter().map(|definition| &definition.module.source),
    )?;
    let stop = Stop::listen().context("Signals cannot be listened to.")?;
    let database = staging::database::open(&config.database).await?;
    let hosts = match arguments.dry_run {
        // It writes nothing, and keeps to this host's last part.
        true => None,
        false => Some(Hosts::announce(&database.pool, sources.values()).await),
    };
    let work = Work {
        arguments,
        config: &config,
        screen: Screen::new(arguments.json),
        definitions: &definitions,
        chosen: &chosen,
        sources: &sources,
        database: &database,
        range: Repair::range(repair.as_ref(), arguments.mode),
        stop: &stop,
    };
    let result = again(arguments.watch, &stop, async || round(&work).await).await;
    if let Some(hosts) = hosts {
        hosts.leave().await;
    }
    database
        .close()
        .await
        .context("The embedded database did not stop cleanly.")?;
    result
}
