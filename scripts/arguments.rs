//! What `run_sync` is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Parser, ValueEnum};

use crate::process::LogFormat;

/// Fetches, stages, reconciles and promotes modules, parents before children.
///
/// Exits 0 when every module is OK or OK_Q, 2 for usage or configuration, 3 PARTIAL, 4 BLOCKED, 5 FAILED,
/// 75 (try again later) for WAITING or a module that another process runs.
#[derive(Parser)]
#[command(name = "run_sync", version, group(ArgGroup::new("which").required(true).args(["module", "all"])))]
pub struct Arguments {
    /// A module to run; may be given several times
    #[arg(long, value_name = "NAME")]
    pub module: Vec<String>,
    /// Run every module whose source is configured
    #[arg(long)]
    pub all: bool,
    /// Read as the module declares, or everything, or a range
    #[arg(long, value_enum, default_value_t = Mode::Incremental)]
    pub mode: Mode,
    /// With --mode repair: from this instant (RFC 3339), or from the beginning of this day in the account's
    /// zone
    #[arg(long, value_name = "WHEN", required_if_eq("mode", "repair"))]
    pub since: Option<String>,
    /// With --mode repair: up to this instant, or to the beginning of this day
    #[arg(long, value_name = "WHEN", requires = "since")]
    pub until: Option<String>,
    /// Run the same job again and again with this pause between, until SIGINT or SIGTERM
    #[arg(long, value_name = "PAUSE", value_parser = pause, conflicts_with = "dry_run")]
    pub watch: Option<Duration>,
    /// Show what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print results as JSON, one object per module
    #[arg(long)]
    pub json: bool,
    /// The configuration; without it CONCORD_CONFIG, then ./concord.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A folder of modules beside the ones compiled in and configured; may be given several times
    #[arg(long, value_name = "DIR")]
    pub modules: Vec<PathBuf>,
    /// Who runs it, for the ledger
    #[arg(long, default_value = "cron")]
    pub actor: String,
    /// How log lines are written to standard error
    #[arg(long, value_enum, default_value_t)]
    pub log: LogFormat,
}

/// How much of a source is read.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// As the module declares: what the source can name as new, and no less than the overlap.
    Incremental,
    /// Everything.
    Full,
    /// From --since to --until, by the module's `since` filter or window; the checkpoint stays.
    Repair,
}

/// A pause that lets others work, too.
fn pause(text: &str) -> Result<Duration, String> {
    match fetcher::length_of_time(text)? {
        pause if pause < Duration::from_millis(100) => {
            Err("a pause of at least `100ms` is wanted".to_owned())
        }
        pause => Ok(pause),
    }
}
