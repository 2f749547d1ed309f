//! The progress of runs: bars on a terminal, plain lines in a log.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use runner::{Decided, Progress};

use crate::process::say;

/// Where progress is shown: a terminal with a bar for each module under way, or a log.
pub struct Screen {
    bars: Option<MultiProgress>,
    is_quiet: bool,
}

impl Screen {
    /// Standard error; with `is_quiet` only the closing lines.
    pub fn new(is_quiet: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            bars: (is_terminal && !is_quiet).then(MultiProgress::new),
            is_quiet,
        }
    }

    /// Begins to show the progress of a module.
    pub fn begin(&self, module: &str) -> ModuleProgress<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style(
                "{prefix:14} {spinner} {pos:>9} records {rate:>10} {msg}",
            ));
            bar.set_prefix(module.to_owned());
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar
        });
        if bar.is_none() && !self.is_quiet {
            say(&format!("{module}: starts"));
        }
        ModuleProgress {
            screen: self,
            bar,
            module: module.to_owned(),
            said_total: AtomicBool::new(self.is_quiet),
        }
    }
}

/// The progress of one module.
pub struct ModuleProgress<'s> {
    screen: &'s Screen,
    bar: Option<ProgressBar>,
    module: String,
    said_total: AtomicBool,
}

impl ModuleProgress<'_> {
    /// Shows how far the module has come.
    pub fn show(&self, made: Progress) {
        match made {
            Progress::Read(fetched, total) => self.records(fetched, total),
            Progress::Decided(decided) => self.decided(decided),
        }
    }

    fn records(&self, fetched: i64, total: Option<u64>) {
        match (&self.bar, total) {
            (Some(bar), total) => {
                if let Some(total) = total.filter(|_| bar.length().is_none()) {
                    bar.set_length(total);
                    bar.set_style(style("{prefix:14} {bar:30} {percent:>3} % {pos:>9}/{len} records {rate:>10} {eta:>4} left {msg}"));
                }
                bar.set_position(u64::try_from(fetched).unwrap_or(0));
            }
            (None, Some(total)) if !self.said_total.swap(true, Ordering::Relaxed) => {
                say(&format!("{}: reading {total} records", self.module));
            }
            _ => {}
        }
    }

    fn decided(&self, Decided { done, pending }: Decided) {
        let Some(bar) = &self.bar else { return };
        bar.set_style(style(
            "{prefix:14} {bar:30} {percent:>3} % {pos:>9}/{len} decided {msg}",
        ));
        bar.set_length(u64::try_from(pending).unwrap_or(0));
        bar.set_position(u64::try_from(done).unwrap_or(0));
    }

    /// Ends with a closing line.
    pub fn end(&self, line: &str) {
        let line = format!("{}: {line}", self.module);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match &self.screen.bars {
            // Printed above the other bars; ignored if the terminal is gone.
            Some(bars) => drop(bars.println(line)),
            None => say(&line),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        // The bar's own figure has fourteen digits.
        .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        })
}
