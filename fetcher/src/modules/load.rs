//! Loads module folders: those compiled in, then those given.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};

use super::module_file::ModuleSource;
use super::resolve::resolve;
use super::spec::{FetchSpec, ModuleFile};
use super::yaml::{diagnostic_of, position_of};
use crate::diagnostic::Diagnostic;

static COMPILED_IN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/modules");

/// One stream of one source, as its folder describes it.
#[derive(Debug, Clone)]
pub struct Module {
    /// The module's name, unique among all loaded.
    pub name: String,
    /// The source it reads.
    pub source: String,
    /// What to request, and where the parts of the response are.
    pub fetch: FetchSpec,
    /// The query, verbatim.
    pub query: Arc<str>,
    /// `module.yaml`, verbatim; the reconciler reads its own part from it.
    pub yaml: Arc<str>,
    /// `contract.yaml`, verbatim.
    pub contract_yaml: Arc<str>,
    /// The source's `schema.graphql`, where the folder or its parent holds one.
    pub schema: Option<Arc<str>>,
    /// All text files of the folder by name, for the files that `module.yaml` names.
    pub files: BTreeMap<String, Arc<str>>,
    /// Where it was read from; `builtin:<source>/<module>` for one compiled in.
    pub folder: PathBuf,
}

/// The text files of one folder by name, and the schema beside or above them.
pub(super) struct Folder {
    pub(super) place: String,
    pub(super) files: BTreeMap<String, Arc<str>>,
    schema: Option<Arc<str>>,
}

/// Loads the compiled-in modules and those in `extra` (`DIR/<module>/` or `DIR/<source>/<module>/`);
/// a later one replaces an earlier one of the same name.
pub fn load_modules(extra: &[PathBuf]) -> Result<Vec<Module>, Diagnostic> {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for folder in compiled_in() {
        let module = read_module(folder)?;
        modules.insert(module.name.clone(), module);
    }
    for dir in extra {
        let mut own: BTreeMap<String, Module> = BTreeMap::new();
        for folder in folders_in(dir)? {
            let module = read_module(folder)?;
            if let Some(twin) = own.get(&module.name) {
                return Err(Diagnostic::of_file(
                    &format!("{}/module.yaml", module.folder.display()),
                    format!(
                        "the module `{}` is also in {}",
                        module.name,
                        twin.folder.display()
                    ),
                    "Rename one of the two.",
                ));
            }
            own.insert(module.name.clone(), module);
        }
        modules.append(&mut own);
    }
    Ok(modules.into_values().collect())
}

pub(super) fn compiled_in() -> Vec<Folder> {
    let mut folders = Vec::new();
    for source in COMPILED_IN.dirs() {
        let schema = text_of(source, "schema.graphql");
        for module in source.dirs() {
            let files = module.files().filter_map(|file| {
                let name = file.path().file_name()?.to_str()?;
                Some((name.to_owned(), Arc::from(file.contents_utf8()?)))
            });
            folders.push(Folder {
                place: format!("builtin:{}", module.path().display()),
                files: files.collect(),
                schema: schema.clone(),
            });
        }
    }
    folders
}

fn text_of(dir: &Dir<'_>, name: &str) -> Option<Arc<str>> {
    let file = dir.get_file(dir.path().join(name))?;
    Some(Arc::from(file.contents_utf8()?))
}

/// The module folders at most two levels below `dir`; a folder is one when it holds `module.yaml`.
fn folders_in(dir: &FilePath) -> Result<Vec<Folder>, Diagnostic> {
    if dir.join("module.yaml").is_file() {
        return Ok(vec![read_folder(dir, dir.parent().unwrap_or(dir))?]);
    }
    let mut folders = Vec::new();
    for below in subfolders(dir)? {
        if below.join("module.yaml").is_file() {
            folders.push(read_folder(&below, dir)?);
            continue;
        }
        for deeper in subfolders(&below)? {
            if deeper.join("module.yaml").is_file() {
                folders.push(read_folder(&deeper, &below)?);
            } else if deeper.join("query.graphql").is_file() {
                return Err(incomplete(&deeper.display().to_string(), "module.yaml"));
            }
        }
        if below.join("query.graphql").is_file() {
            return Err(incomplete(&below.display().to_string(), "module.yaml"));
        }
    }
    Ok(folders)
}

fn subfolders(dir: &FilePath) -> Result<Vec<PathBuf>, Diagnostic> {
    let unreadable = |error: std::io::Error| {
        Diagnostic::of_file(
            &dir.display().to_string(),
            format!("the module folder cannot be read: {error}"),
            "Correct the path given with --modules or in `modules` of concord.toml.",
        )
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read_folder(dir: &FilePath, parent: &FilePath) -> Result<Folder, Diagnostic> {
    let mut files: BTreeMap<String, Arc<str>> = BTreeMap::new();
    let unreadable = |path: &FilePath, error: std::io::Error| {
        Diagnostic::of_file(
            &path.display().to_string(),
            format!("the file cannot be read: {error}"),
            "Make it readable UTF-8 text.",
        )
    };
    for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
        let path = entry.map_err(|error| unreadable(dir, error))?.path();
        let wanted = path
            .extension()
            .is_some_and(|kind| matches!(kind.to_str(), Some("yaml" | "graphql" | "json")));
        if let (true, Some(name)) = (wanted, path.file_name()) {
            let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?;
            files.insert(name.to_string_lossy().into_owned(), Arc::from(text));
        }
    }
    let beside = parent.join("schema.graphql");
    let schema = match files.get("schema.graphql") {
        Some(own) => Some(own.clone()),
        None if beside.is_file() => {
            let text = fs::read_to_string(&beside).map_err(|error| unreadable(&beside, error))?;
            Some(Arc::from(text))
        }
        None => None,
    };
    Ok(Folder {
        place: dir.display().to_string(),
        files,
        schema,
    })
}

fn incomplete(place: &str, name: &str) -> Diagnostic {
    Diagnostic::of_file(
        &format!("{place}/{name}"),
        "the file is missing",
        "A module folder holds module.yaml, its query and contract.yaml; `concord module new` writes all three.",
    )
}

pub(super) fn read_module(folder: Folder) -> Result<Module, Diagnostic> {
    let text = |name: &str| {
        let found = folder.files.get(name).cloned();
        found.ok_or_else(|| incomplete(&folder.place, name))
    };
    let yaml = text("module.yaml")?;
    let file = format!("{}/module.yaml", folder.place);
    let written: ModuleFile =
        serde_norway::from_str(&yaml).map_err(|error| diagnostic_of(&file, &error))?;
    require_name(&written.module, "module", &file, &yaml)?;
    require_name(&written.source, "source", &file, &yaml)?;
    let query = text(&written.fetch.query)?;
    let contract_yaml = text("contract.yaml")?;
    let place = ModuleSource {
        file: &file,
        yaml: &yaml,
        folder: &folder.place,
    };
    let fetch = resolve(written.fetch, &query, &folder.files, &place)?;
    Ok(Module {
        name: written.module,
        source: written.source,
        fetch,
        query,
        yaml,
        contract_yaml,
        schema: folder.schema,
        files: folder.files,
        folder: PathBuf::from(folder.place),
    })
}

/// Names become file names, labels and identifiers, so they must be plain.
fn require_name(name: &str, key: &str, file: &str, yaml: &str) -> Result<(), Diagnostic> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 48
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain {
        return Ok(());
    }
    let fault = Diagnostic::of_file(
        file,
        format!("`{name}` is not a name for a {key}"),
        "Use lower-case letters, digits and `_`, starting with a letter, 48 at most.",
    );
    Err(fault.at(position_of(yaml, &[key])))
}
