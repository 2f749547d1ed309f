//! `concord serve`: the health page, its JSON, probes and metrics, on this machine only.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use monitoring::Monitor;
use reconciler::local_day::zone_named;

use super::status::module_infos;
use super::{Answer, with_database};
use crate::config::Config;

/// Serve the health page on the loopback address until stopped.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port; 0 takes a free one. `[serve] port` says otherwise, else 8080.
    #[arg(long)]
    port: Option<u16>,
}

/// Serves until a signal comes.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let modules: Arc<[_]> = module_infos(config)?.into();
    let zone = zone_named(&config.zone)?;
    // The port first: where it is taken, no database need be started to say so.
    let listener = monitoring::bind(args.port.unwrap_or(config.serve.port)).await?;
    with_database(config, async |pool| {
        let address = listener.local_addr()?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let monitor = Monitor {
            pool: pool.clone(),
            modules,
            version,
            zone,
        };
        let stop = stop()?;
        let mut out = std::io::stdout();
        // Whoever started this may have closed its output; serving goes on.
        let _ = writeln!(
            out,
            "The health page is at http://{address}/. Stop with Ctrl-C."
        )
        .and_then(|()| out.flush());
        monitoring::serve(listener, monitoring::router(monitor), stop)
            .await
            .context("Serving ended by itself.")
    })
    .await?;
    Ok(Answer::silent(0))
}

/// Done when the terminal or the system asks the program to end.
fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
