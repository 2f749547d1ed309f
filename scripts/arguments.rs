//! What `run_sync` is asked to do.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

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
    /// Read only what a source can name as new, or everything
    #[arg(long, value_enum, default_value_t = Mode::Incremental)]
    pub mode: Mode,
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
    /// What the source can name as new, and no less than the overlap.
    Incremental,
    /// Everything.
    Full,
}
