//! What both programs do when they begin, and how they say what went wrong.

use std::io::{IsTerminal, Write};

use fetcher::{Class, ExportError, FetchError};
use staging::database::{OpenError, trouble};
use tracing_subscriber::EnvFilter;

use crate::config::ConfigError;

/// How log lines are written to standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Plain,
    /// One JSON object per event.
    Json,
}

/// Usage or configuration is wrong.
pub const EXIT_USAGE: u8 = 2;
/// The work is done in part.
pub const EXIT_PARTIAL: u8 = 3;
/// The work failed.
pub const EXIT_FAILED: u8 = 5;
/// Trying again later may do.
pub const EXIT_WAITING: u8 = 75;

/// A command that cannot be carried out as it was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Chooses the TLS provider and starts logging; `RUST_LOG` filters, warnings alone by default, and of them
/// not those that a statement was slow: it holds no news for whoever runs a job.
pub fn prepare(log: LogFormat) {
    // Fails only where it was installed before, and then there is nothing to do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,sqlx::query=error"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would be said where nothing can be said any more, and end the program.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    // Fails only where a subscriber was installed before.
    let _ = match log {
        LogFormat::Plain => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// The exit code an error ends the program with.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    for cause in error.chain() {
        let exported = match cause.downcast_ref::<ExportError>() {
            Some(ExportError::Fetch(fetch)) => Some(fetch),
            _ => None,
        };
        if let Some(fetch) = cause.downcast_ref::<FetchError>().or(exported) {
            return match fetch.class() {
                Class::Waiting => EXIT_WAITING,
                Class::Partial => EXIT_PARTIAL,
                Class::Failed => EXIT_FAILED,
            };
        }
        let waits = cause
            .downcast_ref()
            .is_some_and(|sql| trouble(sql).is_some())
            || matches!(
                cause.downcast_ref(),
                Some(
                    OpenError::Unreachable { .. }
                        | OpenError::Silent { .. }
                        | OpenError::Crowded { .. }
                )
            );
        if waits {
            return EXIT_WAITING;
        }
        let usage = cause.is::<UsageError>()
            || cause.is::<ConfigError>()
            || cause.is::<fetcher::ConfigError>()
            || matches!(
                cause.downcast_ref(),
                Some(OpenError::Url(_) | OpenError::Certificate { .. })
            )
            || cause.is::<fetcher::ModuleError>()
            || cause.is::<reconciler::DefinitionError>()
            || cause.is::<fetcher::ScaffoldError>()
            || cause.is::<reconciler::contract::ContractError>();
        if usage {
            return EXIT_USAGE;
        }
    }
    EXIT_FAILED
}

/// Says something on standard error. Where nothing is taken there, as on a full disk, the work goes on
/// without a word.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The error and its causes as sentences, the outermost first; a cause that only repeats is left out.
pub fn explain(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(cause.trim_end_matches('.')) {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn exit_codes_follow_the_innermost_meaning() {
        let usage = anyhow::Error::from(UsageError("Name a module.".to_owned()));
        let config = Err::<(), _>(ConfigError::UnknownModule {
            name: "x".to_owned(),
            known: Vec::new(),
        });
        let throttled = || FetchError::Throttled {
            attempt: fetcher::Attempt::default(),
            cause: "slow down".to_owned(),
            wait: None,
        };
        let cases = [
            (usage, EXIT_USAGE),
            (
                config.context("Reading the modules.").unwrap_err(),
                EXIT_USAGE,
            ),
            (anyhow::Error::from(throttled()), EXIT_WAITING),
            (
                anyhow::Error::from(ExportError::from(throttled())),
                EXIT_WAITING,
            ),
            (anyhow::anyhow!("The disk is full."), EXIT_FAILED),
            (
                anyhow::Error::from(sqlx::Error::PoolTimedOut).context("Opening."),
                EXIT_WAITING,
            ),
        ];
        for (error, code) in cases {
            assert_eq!(exit_code(&error), code, "{error}");
        }
    }

    #[test]
    fn causes_follow_and_do_not_repeat() {
        let inner = std::io::Error::other("permission denied");
        let error = anyhow::Error::from(inner)
            .context("The file cannot be written: permission denied.")
            .context("Nothing was written.");
        assert_eq!(
            explain(&error),
            "Nothing was written.\n  because: The file cannot be written: permission denied."
        );
    }
}
