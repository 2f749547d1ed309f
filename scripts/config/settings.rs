//! Everything Concord is told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fetcher::SourceConfig;
use reconciler::local_day::zone_named;
use serde::Deserialize;
use staging::database::DatabaseConfig;

use super::environment::Environment;
use super::problem::{self, ConfigError};

/// Everything Concord is told, with every default filled in.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where production is kept.
    pub database: DatabaseConfig,
    /// The sources by name.
    pub sources: BTreeMap<String, SourceConfig>,
    /// The account's time zone, from which local days follow.
    pub zone: String,
    /// Folders of modules beside the ones compiled in.
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
    /// Reads the file given, else the one `CONCORD_CONFIG` names, else `./concord.toml`, else nothing;
    /// then applies the environment. Relative paths of a file are relative to its folder.
    pub fn load(path: Option<&Path>) -> Result<Config, ConfigError> {
        Config::load_with(path, Path::new("."), &Environment::of_this_process())
    }

    pub(super) fn load_with(
        path: Option<&Path>,
        here: &Path,
        environment: &Environment,
    ) -> Result<Config, ConfigError> {
        let named = path
            .map(Path::to_owned)
            .or_else(|| environment.get("CONCORD_CONFIG").map(PathBuf::from));
        let beside = here.join("concord.toml");
        let file = named.or_else(|| beside.is_file().then_some(beside));
        let (mut config, text) = match &file {
            Some(file) => Config::read(file)?,
            None => (Config::default(), String::new()),
        };
        config.check_zone(file.as_deref(), &text)?;
        environment.apply(&mut config)?;
        config.file = file;
        Ok(config)
    }

    fn read(file: &Path) -> Result<(Config, String), ConfigError> {
        let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        let mut config: Config =
            toml::from_str(&text).map_err(|error| ConfigError::of_toml(file, &text, &error))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        config.database.data_dir = folder.join(&config.database.data_dir);
        config.database.root_certificate = config
            .database
            .root_certificate
            .map(|path| folder.join(path));
        config.modules = config
            .modules
            .iter()
            .map(|path| folder.join(path))
            .collect();
        for source in config.sources.values_mut() {
            let files = [
                &mut source.auth.secret_file,
                &mut source.auth.refresh_token_file,
            ];
            for path in files.into_iter().flatten() {
                *path = folder.join(&*path);
            }
        }
        Ok((config, text))
    }

    fn check_zone(&self, file: Option<&Path>, text: &str) -> Result<(), ConfigError> {
        match (zone_named(&self.zone), file) {
            (Err(_), Some(file)) => Err(ConfigError::at_key(
                file,
                text,
                "zone",
                problem::zone(&self.zone),
            )),
            _ => Ok(()),
        }
    }

    /// The file, or its usual name where there is none.
    pub(super) fn place(&self) -> String {
        self.file.as_ref().map_or_else(
            || "concord.toml".to_owned(),
            |file| file.display().to_string(),
        )
    }
}
