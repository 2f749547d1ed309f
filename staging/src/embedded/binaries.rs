//! Finds PostgreSQL's server programs on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that Concord works with.
pub(super) const OLDEST: u32 = 14;

/// A folder with usable server programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    pub(super) dir: PathBuf,
    pub(super) major: u32,
}

/// Where to look, in this order; tests restrict it.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    /// Named by `CONCORD_PG_BIN`: used alone, never passed over.
    pub(super) chosen: Option<PathBuf>,
    /// The folders of `PATH`, each asked for `postgres`, then for `pg_config`.
    pub(super) path: Vec<PathBuf>,
    /// Parent folders with one installation per version, and the prefix of their names.
    pub(super) installations: Vec<(PathBuf, &'static str)>,
    /// Whether a download may be tried when nothing is found.
    pub(super) download: bool,
}

impl Places {
    /// The places of this machine.
    pub(super) fn of_this_machine() -> Self {
        let installations = [
            ("/usr/lib/postgresql", ""),
            ("/usr", "pgsql-"),
            ("/opt/homebrew/opt", "postgresql@"),
            ("/usr/local/opt", "postgresql@"),
            ("/Applications/Postgres.app/Contents/Versions", ""),
        ];
        Self {
            chosen: env::var_os("CONCORD_PG_BIN")
                .filter(|dir| !dir.is_empty())
                .map(PathBuf::from),
            path: env::var_os("PATH")
                .map(|path| env::split_paths(&path).collect())
                .unwrap_or_default(),
            installations: installations
                .map(|(dir, prefix)| (PathBuf::from(dir), prefix))
                .to_vec(),
            download: true,
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self
            .path
            .iter()
            .filter(|dir| dir.join("postgres").is_file())
            .cloned()
            .collect();
        folders.extend(
            self.path
                .iter()
                .map(|dir| dir.join("pg_config"))
                .filter(|program| program.is_file())
                .filter_map(|program| {
                    let answer = Command::new(program).arg("--bindir").output().ok()?;
                    Some(PathBuf::from(
                        String::from_utf8(answer.stdout).ok()?.trim_end(),
                    ))
                }),
        );
        for (parent, prefix) in &self.installations {
            folders.extend(installations(parent, prefix));
        }
        let mut seen = Vec::new();
        folders.retain(|dir| {
            let new = !seen.contains(dir);
            seen.push(dir.clone());
            new
        });
        folders
    }
}

/// The first usable folder, or one line for each folder that was passed over.
/// An existing cluster wants the very major version that made it.
pub(super) fn find(places: &Places, wanted: Option<u32>) -> Result<Binaries, Vec<String>> {
    let mut passed = Vec::new();
    for dir in places.folders() {
        match examine(&dir, wanted) {
            Ok(binaries) => return Ok(binaries),
            Err(reason) => passed.push(format!("{} ({reason})", dir.display())),
        }
    }
    Err(passed)
}

/// What the folder holds, or why it cannot be used.
pub(super) fn examine(dir: &Path, wanted: Option<u32>) -> Result<Binaries, String> {
    if let Some(missing) = ["postgres", "initdb"]
        .into_iter()
        .find(|name| !dir.join(name).is_file())
    {
        return Err(format!("it holds no `{missing}`"));
    }
    let answer = Command::new(dir.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("its `postgres` cannot be run: {error}"))?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let major = major_version(&text).ok_or("its `postgres` does not tell its version")?;
    if major < OLDEST {
        return Err(format!(
            "version {major} is too old, {OLDEST} or newer is needed"
        ));
    }
    match wanted {
        Some(wanted) if wanted != major => {
            Err(format!("version {major}, and the database needs {wanted}"))
        }
        _ => Ok(Binaries {
            dir: dir.to_owned(),
            major,
        }),
    }
}

/// Installations below `parent` named by prefix and version, the newest first.
pub(super) fn installations(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = parent
        .read_dir()
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            let version = name.to_str()?.strip_prefix(prefix)?;
            let parts = version
                .split('.')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            Some((parts, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, dir)| dir).collect()
}

/// The major version in `postgres (PostgreSQL) 15.18 (Debian …)` or `… 18beta1`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.split_whitespace().nth(2)?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(dir: &Path, version: &str) {
        fs::create_dir_all(dir).expect("folder");
        for name in ["postgres", "initdb"] {
            let program = dir.join(name);
            fs::write(
                &program,
                format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"),
            )
            .expect("program");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
        }
    }

    #[test]
    fn the_newest_installation_is_taken_and_old_ones_are_passed_over_with_a_reason() {
        let dir = tempfile::tempdir().expect("folder");
        for (name, version) in [
            ("9.6", "9.6.24"),
            ("13", "13.2"),
            ("16", "16.1 (Debian 16.1-1)"),
            ("18", "18beta1"),
        ] {
            fake(&dir.path().join(name).join("bin"), version);
        }
        let places = Places {
            installations: vec![(dir.path().to_owned(), "")],
            ..Places::default()
        };
        let found = find(&places, None).expect("binaries");
        assert_eq!((found.major, found.dir), (18, dir.path().join("18/bin")));
        assert_eq!(find(&places, Some(16)).expect("binaries").major, 16);

        let passed = find(&places, Some(15))
            .expect_err("no version 15")
            .join("\n");
        assert!(
            passed.contains("version 18, and the database needs 15"),
            "{passed}"
        );
        assert!(
            passed.contains("version 13 is too old, 14 or newer is needed"),
            "{passed}"
        );
        assert!(passed.contains("version 9 is too old"), "{passed}");
    }

    #[test]
    fn the_path_comes_before_the_usual_places() {
        let dir = tempfile::tempdir().expect("folder");
        fake(&dir.path().join("usual/17/bin"), "17.2");
        fake(&dir.path().join("path"), "15.1");
        let places = Places {
            path: vec![dir.path().join("absent"), dir.path().join("path")],
            installations: vec![(dir.path().join("usual"), "")],
            ..Places::default()
        };
        assert_eq!(find(&places, None).expect("binaries").major, 15);
    }

    #[test]
    fn pg_config_names_its_folder() {
        let dir = tempfile::tempdir().expect("folder");
        fake(&dir.path().join("far"), "15.1");
        let program = dir.path().join("pg_config");
        fs::write(
            &program,
            format!("#!/bin/sh\necho {}\n", dir.path().join("far").display()),
        )
        .expect("program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("mode");
        let places = Places {
            path: vec![dir.path().to_owned()],
            ..Places::default()
        };
        assert_eq!(
            find(&places, None).expect("binaries").dir,
            dir.path().join("far")
        );
    }
}
