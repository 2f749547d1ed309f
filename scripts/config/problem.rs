//! What is wrong with the configuration: place, problem and remedy.

use std::path::{Path, PathBuf};

use fetcher::{Diagnostic, did_you_mean};

use crate::parse_error::explain;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read. Correct the path given with --config or CONCORD_CONFIG, or make the file readable.", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A line of the file, or a variable of the environment, is wrong.
    #[error(transparent)]
    Invalid(Diagnostic),
    /// No section describes the source.
    #[error("{place} has no source `{name}`. {}", remedy(name, known, &format!("Add a section [sources.{name}] with its `endpoint`, or set CONCORD_SOURCES_{}_ENDPOINT.", name.to_uppercase())))]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
        /// The configuration file.
        place: String,
    },
    /// No folder holds the module.
    #[error(
        "There is no module `{name}`. {}",
        remedy(
            name,
            known,
            "`concord module list` shows all; `concord module new` writes one."
        )
    )]
    UnknownModule {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
}

fn remedy(given: &str, known: &[String], otherwise: &str) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    did_you_mean(given, &known, otherwise)
}

/// Problem and remedy of a time zone that does not exist.
pub(crate) fn zone(name: &str) -> (String, String) {
    let remedy = "Write a name of the IANA database, such as `America/Montreal` or `UTC`.";
    (format!("`{name}` is not a time zone"), remedy.to_owned())
}

impl ConfigError {
    /// A fault of the environment.
    pub(crate) fn of_variable(variable: &str, (problem, remedy): (String, String)) -> Self {
        let place = format!("the environment variable {variable}");
        Self::Invalid(Diagnostic::of_file(&place, problem, remedy))
    }

    /// A fault at the line of a key on the first level.
    pub(crate) fn at_key(
        file: &Path,
        text: &str,
        key: &str,
        (problem, remedy): (String, String),
    ) -> Self {
        let is_key = |line: &str| {
            line.trim_start()
                .strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        };
        Self::Invalid(Diagnostic {
            line: text.lines().position(is_key).map(|at| at + 1),
            ..Diagnostic::of_file(&file.display().to_string(), problem, remedy)
        })
    }

    /// Reads the TOML reader's message: place, and for an unknown key the nearest known one.
    pub(crate) fn of_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let before = error.span().and_then(|span| text.get(..span.start));
        let position = before.map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
            (line, column)
        });
        let (problem, remedy) = explain(error.message());
        Self::Invalid(
            Diagnostic::of_file(&file.display().to_string(), problem, remedy).at(position),
        )
    }
}
