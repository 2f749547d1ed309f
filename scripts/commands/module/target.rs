//! Which module a command means: a name, or the path of a folder.

use std::path::PathBuf;

use fetcher::{Diagnostic, Module, load_modules};

use crate::config::{Config, ConfigError};

/// A module's name, or the folder that holds its `module.yaml`.
#[derive(Debug, Clone)]
pub enum Target {
    /// A loaded module.
    Name(String),
    /// A folder, loaded or not.
    Folder(PathBuf),
}

impl Target {
    /// What `text` means: a path has a separator or is a folder with a `module.yaml`.
    pub fn of(text: &str) -> Self {
        let path = PathBuf::from(text);
        if text.contains(['/', '\\']) || text == "." || path.join("module.yaml").is_file() {
            return Self::Folder(path);
        }
        Self::Name(text.to_owned())
    }

    /// All modules, with the target among them.
    pub fn load(&self, config: &Config) -> Result<Vec<Module>, Diagnostic> {
        let mut folders = config.modules.clone();
        if let Self::Folder(folder) = self {
            folders.push(folder.clone());
        }
        load_modules(&folders)
    }

    /// The target among the loaded modules.
    pub fn find<'m>(&self, modules: &'m [Module]) -> Result<&'m Module, ConfigError> {
        let found = modules.iter().find(|module| match self {
            Self::Name(name) => module.name == *name,
            Self::Folder(folder) => module.folder == *folder,
        });
        found.ok_or_else(|| ConfigError::UnknownModule {
            name: match self {
                Self::Name(name) => name.clone(),
                Self::Folder(folder) => folder.display().to_string(),
            },
            known: modules.iter().map(|module| module.name.clone()).collect(),
        })
    }
}
