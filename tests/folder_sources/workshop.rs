//! PostGraphile over a database of its own, as the source `workshop`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::world::TestDatabase;

/// A running PostGraphile; it ends with this value.
pub struct Workshop {
    pub endpoint: String,
    pub rows: TestDatabase,
    server: Child,
}

impl Workshop {
    /// Makes the schema and runs `fill`, then serves it.
    pub async fn open(fill: &str) -> Workshop {
        let installed = file("node_modules/postgraphile/package.json");
        assert!(
            installed.is_file(),
            "PostGraphile is not installed in tests/postgraphile. Run scripts/test.sh, which installs it."
        );
        let rows = TestDatabase::empty().await;
        rows.sql(&read("schema.sql")).await;
        rows.sql(fill).await;
        let mut server = Command::new("node")
            .arg("server.mjs")
            .current_dir(file(""))
            .env("DATABASE_URL", &rows.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js is not there. Run scripts/test.sh, which installs it.");
        let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
        let first = said
            .next_line()
            .await
            .unwrap()
            .expect("PostGraphile ended before it accepted requests");
        let first: Value = serde_json::from_str(&first).unwrap();
        let endpoint = first["graphql"].as_str().unwrap().to_owned();
        Workshop {
            endpoint,
            rows,
            server,
        }
    }

    pub async fn close(mut self) {
        self.server.kill().await.unwrap();
    }
}

/// A file of tests/postgraphile as text.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/postgraphile")
        .join(name)
}
