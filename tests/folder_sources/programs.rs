//! Concord's own programs in a folder of their own, over a database of their own.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::world::{Answer, TestDatabase};

/// A folder with a `concord.toml` for one source.
pub struct Workplace {
    pub folder: TempDir,
    pub production: TestDatabase,
}

impl Workplace {
    /// `modules` are folders, relative to the repository or absolute.
    pub async fn open(source: &str, endpoint: &str, modules: &[&str]) -> Workplace {
        let folder = tempfile::tempdir().unwrap();
        let production = TestDatabase::migrated().await;
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        let modules: Vec<_> = modules
            .iter()
            .map(|folder| repository.join(folder))
            .collect();
        let text = format!(
            "zone = \"America/Montreal\"\nmodules = {modules:?}\n\
             [database]\nurl = {url:?}\ndata_dir = \"data\"\n\
             [sources.{source}]\nendpoint = {endpoint:?}\nrate = {{ per_second = 10000, burst = 1000 }}\n\
             retry = {{ base_ms = 20 }}\n",
            url = production.url,
        );
        std::fs::write(folder.path().join("concord.toml"), text).unwrap();
        Workplace { folder, production }
    }

    pub async fn concord(&self, arguments: &[&str]) -> Answer {
        self.run(env!("CARGO_BIN_EXE_concord"), arguments).await
    }

    /// Runs every module of the source; answers the exit code and one JSON object per module.
    pub async fn sync(&self) -> (i32, Vec<Value>) {
        self.sync_with(&["--all"]).await
    }

    pub async fn sync_with(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let arguments = [arguments, &["--json"]].concat();
        let ran = self.run(env!("CARGO_BIN_EXE_run_sync"), &arguments).await;
        let lines = ran.lines();
        assert!(!lines.is_empty(), "run_sync printed no result: {ran:#?}");
        (ran.code, lines)
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> Answer {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name == "DATABASE_URL" || name.starts_with("CONCORD_") {
                command.env_remove(name);
            }
        }
        let ran = command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        Answer {
            code: ran.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&ran.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ran.stderr).into_owned(),
        }
    }
}

/// `module: state new inserted updated tombstoned`, for comparison with what is expected.
pub fn told(lines: &[Value]) -> Vec<String> {
    lines
        .iter()
        .map(|line| {
            let (staged, claims) = (&line["staged"], &line["claims"]);
            format!(
                "{}: {} {} new, {} inserted, {} updated, {} deleted",
                line["module"].as_str().unwrap_or_default(),
                line["state"].as_str().unwrap_or_default(),
                staged["new"],
                claims["inserted"],
                claims["updated"],
                claims["tombstoned"],
            )
        })
        .collect()
}

/// The run left production as it was.
pub fn assert_nothing_written((code, lines): &(i32, Vec<Value>)) {
    assert_eq!(*code, 0, "{lines:#?}");
    for line in lines {
        assert_eq!(line["state"], "OK", "{line:#}");
        assert_eq!(line["promotion"], Value::Null, "{line:#}");
        for done in ["inserted", "updated", "tombstoned"] {
            assert_eq!(line["claims"][done], 0, "{line:#}");
        }
    }
}
