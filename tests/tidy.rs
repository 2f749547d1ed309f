//! The fences of this repository: sizes, names, import directions, complete module folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_code::{above_tests, blanked, functions};

const CRATES: [(&str, &str, &[&str]); 8] = [
    ("fetcher", "fetcher", &[]),
    ("staging", "staging", &["fetcher"]),
    ("matching", "reconciler/matching", &[]),
    (
        "reconciler",
        "reconciler",
        &["fetcher", "staging", "matching"],
    ),
    (
        "runner",
        "scripts/runner",
        &["fetcher", "staging", "matching", "reconciler"],
    ),
    (
        "monitoring",
        "monitoring",
        &["fetcher", "staging", "matching", "reconciler", "runner"],
    ),
    ("standin", "tests/standin", &[]),
    (
        "concord",
        "scripts",
        &[
            "fetcher",
            "staging",
            "matching",
            "reconciler",
            "runner",
            "monitoring",
            "concord",
        ],
    ),
];

const BANNED_ROOMS: [&str; 13] = [
    "util",
    "utils",
    "common",
    "helper",
    "helpers",
    "types",
    "core",
    "manager",
    "service",
    "repository",
    "prelude",
    "misc",
    "shared",
];

/// A text file of the repository, by its path from the root.
pub struct Text {
    pub path: String,
    pub text: String,
}

impl Text {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The code without the unit tests at its foot; nothing of a file that is a test as a whole.
    pub fn product(&self) -> &str {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return "";
        }
        above_tests(&self.text)
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file that is kept under version control, as far as the folders' names tell.
pub fn texts() -> Vec<Text> {
    let mut found = Vec::new();
    collect(&root(), &mut found);
    assert!(
        found.len() > 100,
        "the walk over the repository has lost its way"
    );
    found
}

fn collect(folder: &Path, found: &mut Vec<Text>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let built = name.starts_with("target")
            || ["node_modules", "concord-data", "corpus", "artifacts"].contains(&name.as_str());
        if path.is_dir() {
            if !built && (!name.starts_with('.') || name == ".ci") {
                collect(&path, found);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root())
                .expect("below the root")
                .display()
                .to_string();
            found.push(Text { path, text });
        }
    }
}

pub fn no_faults(faults: Vec<String>, remedy: &str) {
    assert!(faults.is_empty(), "{remedy}\n{}", faults.join("\n"));
}

#[test]
fn files_are_short() {
    let mut faults = Vec::new();
    for file in texts().iter().filter(|file| file.is_rust()) {
        let lines = above_tests(&file.text).lines().count();
        let limit = limit_of(file);
        if lines > limit {
            faults.push(format!("{}: {lines} lines, {limit} allowed", file.path));
        }
    }
    no_faults(faults, "Split these files by what their parts are about:");
}

fn limit_of(file: &Text) -> usize {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let entry = name == "lib.rs" && blanked(above_tests(&file.text)).contains("fn ");
    match (file.path.as_str(), name) {
        ("scripts/concord.rs", _) | (_, "main.rs") => 80,
        (_, "lib.rs") if entry => 120,
        (_, "lib.rs" | "mod.rs") => 60,
        _ => 400,
    }
}

#[test]
fn functions_are_short() {
    let mut faults = Vec::new();
    for file in texts().iter().filter(|file| file.is_rust()) {
        let code = blanked(above_tests(&file.text));
        faults.extend(
            functions(&code)
                .into_iter()
                .filter(|(_, _, lines)| *lines > 80)
                .map(|(name, line, lines)| {
                    format!(
                        "{}:{line}: `{name}` has {lines} lines, 80 allowed",
                        file.path
                    )
                }),
        );
    }
    no_faults(faults, "Take parts out of these functions and name them:");
}

#[test]
fn rooms_have_names_of_things() {
    let mut faults = Vec::new();
    for file in texts().iter().filter(|file| file.is_rust()) {
        let stems = file
            .path
            .split('/')
            .map(|part| part.trim_end_matches(".rs"));
        let code = blanked(&file.text);
        let declared: Vec<&str> = code
            .lines()
            .filter_map(|line| {
                line.split_once("mod ")?
                    .1
                    .split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
            })
            .collect();
        let bad: BTreeSet<&str> = stems
            .chain(declared.iter().copied())
            .filter(|name| BANNED_ROOMS.contains(name))
            .collect();
        faults.extend(bad.iter().map(|name| format!("{}: `{name}`", file.path)));
        let twin = root()
            .join(file.path.trim_end_matches(".rs"))
            .join("mod.rs");
        if twin.is_file() {
            faults.push(format!(
                "{}: a folder of this name holds a mod.rs",
                file.path
            ));
        }
    }
    no_faults(faults, "Name these after what they are about:");
}

#[test]
fn imports_follow_the_data() {
    let mut faults = Vec::new();
    let texts = texts();
    for (name, folder, allowed) in CRATES {
        let ours = |other: &&str| *other != name && !allowed.contains(other);
        let forbidden: Vec<&str> = CRATES
            .iter()
            .map(|(other, ..)| *other)
            .filter(ours)
            .collect();
        if name != "concord" {
            let manifest =
                fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
            let manifest: toml::Table = manifest.parse().expect("TOML");
            for section in ["dependencies", "build-dependencies"] {
                let Some(section) = manifest.get(section).and_then(toml::Value::as_table) else {
                    continue;
                };
                let outside: &[&str] = match name {
                    "fetcher" => &["sqlx"],
                    "reconciler" => &["reqwest", "hyper", "oauth2"],
                    _ => &[],
                };
                let bad = forbidden
                    .iter()
                    .chain(outside)
                    .filter(|other| section.contains_key(**other));
                faults.extend(bad.map(|other| format!("{folder}/Cargo.toml: `{other}`")));
            }
        }
        let prefix = format!("{folder}/");
        for file in texts
            .iter()
            .filter(|file| file.is_rust() && file.path.starts_with(&prefix))
        {
            let code = blanked(file.product());
            let bad = forbidden.iter().filter(|other| names_crate(&code, other));
            faults.extend(bad.map(|other| format!("{}: `{other}::`", file.path)));
        }
    }
    no_faults(
        faults,
        "Nobody imports to the right of fetcher, staging, reconciler, runner, monitoring, scripts:",
    );
}

/// Whether code names a crate: `name::`, with nothing before that would make it another word or path.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name}::"))
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

#[test]
fn module_folders_are_complete_and_load() {
    let mut faults = Vec::new();
    for folder in ["fetcher/modules/gazelle", "tests/postgraphile/modules"] {
        for entry in fs::read_dir(root().join(folder)).expect("a folder of modules") {
            let module = entry.expect("an entry").path();
            if !module.is_dir() {
                continue;
            }
            for file in ["module.yaml", "query.graphql", "contract.yaml"] {
                if !module.join(file).is_file() {
                    faults.push(format!("{} has no {file}", module.display()));
                }
            }
        }
    }
    no_faults(faults, "A module folder holds all three files:");
    let extra = root().join("tests/postgraphile/modules");
    for folders in [vec![], vec![extra]] {
        let modules = fetcher::load_modules(&folders).expect("the modules load");
        assert!(modules.len() >= 6, "the compiled-in modules are missing");
        if let Err(fault) = reconciler::Definitions::compile(&modules, "America/Montreal") {
            panic!("{fault}");
        }
    }
}

#[test]
fn tests_are_run_and_say_what_they_expect() {
    let mut faults = Vec::new();
    for file in texts().iter().filter(|file| file.is_rust()) {
        let code = blanked(&file.text);
        for attribute in ["#[ignore", "#[should_panic"] {
            if code.contains(attribute) {
                faults.push(format!("{}: {attribute}]", file.path));
            }
        }
    }
    no_faults(
        faults,
        "Every test runs, and checks for the error it expects:",
    );
}

#[test]
fn nothing_is_left_for_later() {
    let mut faults = Vec::new();
    for file in texts() {
        for mark in [
            ["TO", "DO"].concat(),
            ["FIX", "ME"].concat(),
            ["XX", "X"].concat(),
        ] {
            let word = |(at, _): (usize, &str)| {
                let beside = |c: char| c.is_alphanumeric() || c == '_';
                !file.text[..at].ends_with(beside)
                    && !file.text[at + mark.len()..].starts_with(beside)
            };
            if file.text.match_indices(&mark).any(word) {
                faults.push(format!("{}: {mark}", file.path));
            }
        }
    }
    no_faults(faults, "Do it, or open an issue:");
}

#[test]
fn statements_go_through_one_door() {
    let mut faults = Vec::new();
    let door = "staging/src/database/statement.rs";
    // Tests look at the database directly, without a pooler between.
    let outside = |file: &&Text| !file.path.starts_with("tests/") && file.path != door;
    for file in texts().iter().filter(outside).filter(|file| file.is_rust()) {
        let code = blanked(file.product());
        for call in [
            "sqlx::query(",
            "sqlx::query_as(",
            "sqlx::query_as::",
            "sqlx::query_scalar(",
            "sqlx::query_scalar::",
        ] {
            if code.contains(call) {
                faults.push(format!("{}: {call}", file.path));
            }
        }
        let macros = ["sqlx::query!", "sqlx::query_as!", "sqlx::query_scalar!"];
        faults.extend(
            macros
                .iter()
                .filter(|call| code.contains(**call))
                .map(|call| format!("{}: {call}", file.path)),
        );
    }
    no_faults(
        faults,
        "Poolers lose named statements; use those of staging::database:",
    );
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let mut faults = Vec::new();
    for file in texts() {
        for place in [
            ["/ro", "ot/"].concat(),
            ["/tmp/tar", "get"].concat(),
            ["/wo", "rk/shared"].concat(),
        ] {
            if file.text.contains(&place) {
                faults.push(format!("{}: {place}", file.path));
            }
        }
        let home = ["/ho", "me/"].concat();
        let someone = |(at, _): (usize, &str)| {
            file.text[at + home.len()..].starts_with(|c: char| c.is_ascii_lowercase())
        };
        if file.text.match_indices(&home).any(someone) {
            faults.push(format!("{}: {home}…", file.path));
        }
    }
    no_faults(
        faults,
        "Write paths relative to the repository, or ask the environment:",
    );
}

#[test]
fn licence_and_lock_file_are_there() {
    let licence = fs::read_to_string(root().join("LICENSE")).expect("a licence");
    assert!(licence.contains("MIT License"));
    assert!(root().join("Cargo.lock").is_file());
    assert!(
        root()
            .join("tests/postgraphile/package-lock.json")
            .is_file()
    );
}
