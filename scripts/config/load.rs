//! Reads the configuration: the file, then the environment.

use std::path::{Path, PathBuf};

use reconciler::local_day::zone_named;

use super::environment::Environment;
use super::problem::{self, ConfigError};
use super::settings::Config;

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
}
