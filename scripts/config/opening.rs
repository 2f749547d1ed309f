//! Loads the modules and opens the sources that the configuration names.

use std::collections::BTreeMap;

use anyhow::Context;
use fetcher::{AuthKind, Module, Source, SourceConfig, TokenStore};

use super::problem::ConfigError;
use super::settings::Config;

impl Config {
    /// The source's section.
    pub fn source(&self, name: &str) -> Result<&SourceConfig, ConfigError> {
        self.sources
            .get(name)
            .ok_or_else(|| ConfigError::UnknownSource {
                name: name.to_owned(),
                known: self.sources.keys().cloned().collect(),
                place: self.place(),
            })
    }

    /// The compiled-in modules and those of the configured folders.
    pub fn load_modules(&self) -> Result<Vec<Module>, fetcher::Diagnostic> {
        fetcher::load_modules(&self.modules)
    }

    /// Checks that every module named in a source's section belongs to that source.
    pub fn check_modules(&self, modules: &[Module]) -> Result<(), ConfigError> {
        for (source, settings) in &self.sources {
            let of_source = |module: &&Module| module.source == *source;
            let known: Vec<String> = modules
                .iter()
                .filter(of_source)
                .map(|module| module.name.clone())
                .collect();
            let named = settings.modules.keys();
            if let Some(name) = named.into_iter().find(|name| !known.contains(name)) {
                return Err(ConfigError::UnknownModule {
                    name: name.clone(),
                    known,
                });
            }
        }
        Ok(())
    }

    /// One module by name.
    pub fn load_module(&self, name: &str) -> anyhow::Result<Module> {
        let modules = self.load_modules()?;
        let known: Vec<String> = modules.iter().map(|module| module.name.clone()).collect();
        let found = modules.into_iter().find(|module| module.name == name);
        Ok(found.ok_or_else(|| ConfigError::UnknownModule {
            name: name.to_owned(),
            known,
        })?)
    }

    /// The encrypted store of OAuth2 tokens, in the data directory.
    pub fn token_store(&self) -> anyhow::Result<TokenStore> {
        let folder = self.database.data_dir.join("tokens");
        TokenStore::open(&folder)
            .with_context(|| format!("Opening the token store in {}.", folder.display()))
    }
}

/// Opens the sources of these names, each once.
pub fn open_sources<'a>(
    config: &Config,
    names: impl Iterator<Item = &'a String>,
) -> anyhow::Result<BTreeMap<String, Source>> {
    // Processes share their rate limits here; without it each keeps its own.
    let _ = std::fs::create_dir_all(&config.database.data_dir);
    let mut sources = BTreeMap::new();
    for name in names {
        if !sources.contains_key(name) {
            sources.insert(name.clone(), open_source(config, name)?);
        }
    }
    Ok(sources)
}

/// Opens a source: reads its secrets and, where it logs in by OAuth2, its token store. Sends nothing.
pub fn open_source(config: &Config, name: &str) -> anyhow::Result<Source> {
    let mut source = config.source(name)?.clone();
    source.limits_folder = Some(config.database.data_dir.join("limits"));
    let store = match source.auth.kind {
        AuthKind::Oauth2Refresh | AuthKind::Oauth2ClientCredentials => Some(config.token_store()?),
        AuthKind::None | AuthKind::Header | AuthKind::Bearer => None,
    };
    Ok(Source::open(name, &source, store.as_ref())?)
}
