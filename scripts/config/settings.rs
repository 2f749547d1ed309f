//! The settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use fetcher::SourceConfig;
use serde::Deserialize;
use staging::database::DatabaseConfig;

/// All settings, with defaults filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The database.
    pub database: DatabaseConfig,
    /// The sources by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The account's time zone, from which local days follow.
    pub zone: String,
    /// Folders of modules beside those that are compiled in.
    pub modules: Vec<PathBuf>,
    /// Where `concord serve` listens.
    pub serve: ServeConfig,
    /// The file all this was read from, if there was one.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// The `[serve]` section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// The port on the loopback address.
    pub port: u16,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self { port: 8080 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: DatabaseConfig::default(),
            sources: BTreeMap::new(),
            zone: "UTC".to_owned(),
            modules: Vec::new(),
            serve: ServeConfig::default(),
            file: None,
        }
    }
}

impl Config {
    /// The file, or its usual name where there is none.
    pub(super) fn place(&self) -> String {
        self.file.as_ref().map_or_else(
            || "concord.toml".to_owned(),
            |file| file.display().to_string(),
        )
    }
}
