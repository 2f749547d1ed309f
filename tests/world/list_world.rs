//! A world around the tiny source of `lists`: a fresh database, the test's module folders, the real programs.

use serde_json::Value;
use tokio::process::Command;

use super::Answer;
use super::database::TestDatabase;
use super::folder::open_folder;
use super::list_module::ListModule;
use super::lists::Lists;

/// Everything such a test needs.
pub struct ListWorld {
    /// What the source lists.
    pub lists: Lists,
    /// The database.
    pub database: TestDatabase,
    folder: tempfile::TempDir,
}

impl ListWorld {
    /// A fresh database, a source without any list, and these modules. Two sources are configured, `src` and
    /// `other`; both are the same server.
    pub async fn new(modules: &[ListModule]) -> ListWorld {
        let lists = Lists::default();
        let endpoint = lists.serve().await;
        let world = ListWorld {
            lists,
            database: TestDatabase::empty().await,
            folder: open_folder(),
        };
        let config = ["src", "other"].map(|name| configuration(name, &endpoint));
        let config = format!("modules = [\"modules\"]\n{}", config.concat());
        std::fs::write(world.folder.path().join("concord.toml"), config).expect("a configuration");
        for module in modules {
            world.write(module);
        }
        world
    }

    /// Writes a module's folder, in place of the one it had.
    pub fn write(&self, module: &ListModule) {
        module.write(&self.folder.path().join("modules"));
    }

    /// `run_sync --all`, to its end, with its results as JSON.
    pub async fn run(&self) -> Answer {
        self.run_sync(&["--all"]).await
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

    /// Rolls back to a promotion.
    pub async fn roll_back(&self, number: i64, arguments: &[&str]) -> Answer {
        let number = number.to_string();
        let mut all = vec!["rollback", &number, "--reason", "A test.", "--yes"];
        all.extend(arguments);
        self.concord(&all).await
    }

    /// A program in this world: its folder, its database, and nothing else of our environment.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("DATABASE_URL", &self.database.url)
            .kill_on_drop(true);
        command
    }

    /// The number of the last promotion.
    pub async fn head(&self) -> i64 {
        self.count("select number from history.head").await
    }

    /// Runs statements in the database, as somebody who edits by hand.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> impl Future<Output = ()> + use<> {
        self.database.sql(sql)
    }

    /// The rows of a query, as JSON objects.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> impl Future<Output = Vec<Value>> + use<> {
        self.database.rows(sql)
    }

    /// The rows of a query, each as the list of its values.
    #[track_caller]
    pub fn values(&self, sql: &str) -> impl Future<Output = Value> + use<> {
        let rows = self.database.rows(&format!(
            "select (select jsonb_agg(value order by at) from json_each(row_to_json(t)) with ordinality cell (name, value, at))
             as cells from ({sql}) t"
        ));
        async move {
            rows.await
                .into_iter()
                .map(|mut row| row["cells"].take())
                .collect()
        }
    }

    /// The number a query gives.
    #[track_caller]
    pub fn count(&self, sql: &str) -> impl Future<Output = i64> + use<> {
        let rows = self.database.rows(&format!("select ({sql}) as value"));
        async move { rows.await[0]["value"].as_i64().expect("a number") }
    }
}

fn configuration(source: &str, endpoint: &str) -> String {
    format!(
        "[sources.{source}]\nendpoint = \"{endpoint}\"\nauth = {{ kind = \"none\" }}\n\
         rate = {{ per_second = 1000, burst = 1000 }}\n\
         retry = {{ attempts = 2, base_ms = 1, cap_ms = 20, budget = 100 }}\n"
    )
}
