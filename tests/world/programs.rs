//! The world itself: its programs, its data, its source.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use standin::Options;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::Answer;
use super::database::TestDatabase;
use super::folder::{compiled_in, copy_folder, open_folder};
use super::source::TestSource;

/// The variable that holds the key of the stand-in.
const KEY: &str = "TEST_GAZELLE_KEY";

/// What hosts have told each other of the limits, where there is a database yet.
const FORGET_LIMITS: &str = "do $$ begin
    if to_regclass('ops.shares') is not null then
        delete from ops.shares;
        update ops.sources set held_until = null, left_alone_until = null;
    end if;
end $$";

/// Everything a test needs.
pub struct World {
    /// The stand-in.
    pub source: TestSource,
    /// The database.
    pub database: TestDatabase,
    folder: tempfile::TempDir,
}

impl World {
    /// One hundredth of an account with 300 timeline entries.
    pub async fn small() -> World {
        World::new(small()).await
    }

    /// A migrated database and a stand-in with these options.
    pub async fn new(options: Options) -> World {
        World::on(TestDatabase::migrated().await, options).await
    }

    /// A small account, and a database in which nobody has created anything.
    pub async fn unmigrated() -> World {
        World::on(TestDatabase::empty().await, small()).await
    }

    async fn on(database: TestDatabase, options: Options) -> World {
        let source = TestSource::start(options).await;
        let folder = open_folder();
        let config = configuration(&source.running.urls.graphql);
        std::fs::write(folder.path().join("concord.toml"), config).expect("a configuration");
        World {
            source,
            database,
            folder,
        }
    }

    /// The test's folder, in which programs run.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `run_sync`, to its end, with its results as JSON.
    pub async fn run_sync(&self, arguments: &[&str]) -> Answer {
        let mut command = self.command(env!("CARGO_BIN_EXE_run_sync"));
        Answer::of(command.arg("--json").args(arguments)).await
    }

    /// `concord`, to its end.
    pub async fn concord(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(env!("CARGO_BIN_EXE_concord")).args(arguments)).await
    }

    /// A program in this world: its folder, its database, the key, and nothing else of our environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("DATABASE_URL", &self.database.url)
            .env(KEY, standin::API_KEY)
            .kill_on_drop(true);
        command
    }

    /// Runs `run_sync` up to a named point and kills it there with a signal it cannot catch.
    pub async fn kill_at(&self, point: &str, arguments: &[&str]) {
        let mut child = self.halted_at(point, arguments).await;
        child.kill().await.expect("a process to kill");
    }

    /// Runs `run_sync` up to a named point and leaves it standing there.
    pub async fn halted_at(&self, point: &str, arguments: &[&str]) -> tokio::process::Child {
        let mut command = self.command(env!("CARGO_BIN_EXE_run_sync"));
        World::halted(command.args(arguments), point).await
    }

    /// Runs a program up to a named point and leaves it standing there; a line on its standard input lets it
    /// go on.
    pub async fn halted(command: &mut Command, point: &str) -> tokio::process::Child {
        let mut child = command
            .env("CONCORD_HALT_AT", point)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run_sync starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.expect("a line") {
            if line.starts_with("halted at") {
                return child;
            }
            said = said + &line + "\n";
        }
        panic!("run_sync never came to {point}:\n{said}");
    }

    /// `concord serve` on a free port.
    pub async fn serve(&self) -> Served {
        let mut command = self.command(env!("CARGO_BIN_EXE_concord"));
        let mut child = command
            .args(["serve", "--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("concord starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let line = lines
            .next_line()
            .await
            .expect("a line")
            .expect("its address");
        let address = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"));
        Served {
            address: address
                .expect("an address")
                .trim_end_matches("/.")
                .to_owned(),
            _child: child,
        }
    }

    /// Runs statements in the database.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> impl Future<Output = ()> + use<> {
        self.database.sql(sql)
    }

    /// The rows of a query, as JSON objects.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> impl Future<Output = Vec<Value>> + use<> {
        self.database.rows(sql)
    }

    /// The one value of a query.
    #[track_caller]
    pub fn value(&self, sql: &str) -> impl Future<Output = Value> + use<> {
        let rows = self.database.rows(&format!("select ({sql}) as value"));
        async move { rows.await.remove(0)["value"].take() }
    }

    /// The number a query gives.
    #[track_caller]
    pub fn count(&self, sql: &str) -> impl Future<Output = i64> + use<> {
        let value = self.value(sql);
        async move { value.await.as_i64().expect("a number") }
    }

    /// Edits records of the source: one edit or a list of them.
    pub async fn edit(&self, edits: Value) {
        self.source.admin("records", &edits).await;
    }

    /// Turns a switch of the source on.
    pub async fn fault(&self, fault: Value) {
        self.source.admin("faults", &fault).await;
    }

    /// Turns every switch of the source off, and forgets what they taught of its limits.
    pub async fn clear_faults(&self) {
        let _ = std::fs::remove_dir_all(self.folder.path().join("concord-data/limits"));
        self.sql(FORGET_LIMITS).await;
        self.source
            .admin("faults", &json!({ "clear": "all" }))
            .await;
    }

    /// A copy of a module that is compiled in, in a folder to be given with `--modules`.
    pub fn copy_module(&self, module: &str) -> PathBuf {
        let folder = self.folder.path().join("modules").join(module);
        copy_folder(&compiled_in("gazelle", module), &folder);
        folder
    }

    /// Changes a file of the test's folder.
    pub fn edit_file(&self, file: &Path, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(file).expect("a file to edit");
        std::fs::write(file, change(text)).expect("an edited file");
    }

    /// Every production row without the times at which it was written: what two worlds must agree on.
    pub async fn production(&self) -> String {
        let row = "(to_jsonb(t) - '{created_at,updated_at,synced_at}'::text[])
                   || jsonb_build_object('deleted_at', t.deleted_at is not null)";
        self.entities(row).await
    }

    /// Every production row with every column.
    pub async fn exact(&self) -> String {
        self.entities("to_jsonb(t)").await
    }

    /// The production tables of entities.
    pub async fn tables(&self) -> Vec<String> {
        let tables = "select tablename from pg_tables where schemaname = 'prod'
                      and tablename not in ('identities', 'match_keys', 'links', 'overrides')
                      and not starts_with(tablename, 'blocking_') order by 1";
        let rows = self.rows(tables).await;
        rows.iter()
            .map(|row| row["tablename"].as_str().expect("a name").to_owned())
            .collect()
    }

    /// Who is who, with every column, and the keys it is known by.
    pub async fn identities(&self) -> String {
        let identities = "select to_jsonb(t) as row from prod.identities t order by module, source_id, valid_from";
        let keys = "select to_jsonb(t) as row from prod.match_keys t order by entity, label, value, entity_id";
        let blocks =
            "select to_jsonb(t) as row from prod.blocking_keys t order by entity, entity_id, hash";
        let mut text = String::new();
        for rows in [identities, keys, blocks] {
            text.push_str(&self.lines(rows).await);
        }
        text
    }

    async fn entities(&self, row: &str) -> String {
        let mut text = String::new();
        for table in self.tables().await {
            text.push_str(&format!("# {table}\n"));
            let rows = format!("select {row} as row from prod.\"{table}\" t order by t.id");
            text.push_str(&self.lines(&rows).await);
        }
        text
    }

    /// Promotions, changes and row images, with every column.
    pub async fn history(&self) -> String {
        let mut text = String::new();
        for (table, order) in [
            ("promotions", "number"),
            ("changes", "number, entity, entity_id, part"),
            ("objects", "hash"),
        ] {
            text.push_str(&format!("# {table}\n"));
            let rows = format!("select to_jsonb(t) as row from history.{table} t order by {order}");
            text.push_str(&self.lines(&rows).await);
        }
        text
    }

    /// Every row of every table of ours.
    pub async fn everything(&self) -> String {
        let tables = "select format('%I.%I', schemaname, tablename) as name from pg_tables
                      where schemaname in ('ops', 'staging', 'prod', 'history') order by 1";
        let mut text = String::new();
        for table in self.rows(tables).await {
            let name = table["name"].as_str().expect("a name");
            text.push_str(&format!("# {name}\n"));
            let rows =
                format!("select to_jsonb(t) as row from {name} t order by to_jsonb(t)::text");
            text.push_str(&self.lines(&rows).await);
        }
        text
    }

    async fn lines(&self, rows: &str) -> String {
        let rows = self.rows(rows).await;
        rows.iter().map(|row| format!("{}\n", row["row"])).collect()
    }
}

/// A running `concord serve`, killed when it is dropped.
pub struct Served {
    address: String,
    _child: tokio::process::Child,
}

impl Served {
    /// The status and the body of a page.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.address))
            .await
            .expect("an answer");
        (
            answer.status().as_u16(),
            answer.text().await.expect("a body"),
        )
    }
}

fn small() -> Options {
    Options {
        timeline: Some(300),
        ..Options::small()
    }
}

fn configuration(endpoint: &str) -> String {
    format!(
        r#"zone = "America/Montreal"

[sources.gazelle]
endpoint = "{endpoint}"
auth = {{ kind = "header", name = "x-gazelle-api-key", secret_env = "{KEY}" }}
rate = {{ per_second = 1000, burst = 1000 }}
retry = {{ attempts = 3, base_ms = 1, cap_ms = 20, budget = 1000 }}
breaker = {{ failures = 1000, failure_percent = 101 }}
"#
    )
}
