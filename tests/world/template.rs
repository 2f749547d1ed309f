//! The template database: migrated once for each build of Concord, copied by every test.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::SystemTime;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use staging::database::query_scalar;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::Answer;
use super::database::{connect, execute, url_of};
use super::folder::open_folder;

/// The program that makes the template. Migrations, modules and contracts are compiled into it.
const CONCORD: &str = env!("CARGO_BIN_EXE_concord");

/// The advisory lock under which templates are made, so that two test processes never make the same one.
const LOCK: i64 = 0x636f_6e63_6f72_6474;

/// The name of the template, made by the first test that needs it.
pub async fn migrated(server: &str) -> String {
    static NAME: OnceCell<String> = OnceCell::const_new();
    NAME.get_or_init(async || find_or_make(server).await)
        .await
        .clone()
}

async fn find_or_make(server: &str) -> String {
    let (builds, build) = (hash(CONCORD), hash((CONCORD, version())));
    let prefix = format!("concord_template_{builds:016x}_");
    let name = format!("{prefix}{build:016x}");
    let mut connection = connect(server).await;
    execute(&mut connection, &format!("select pg_advisory_lock({LOCK})")).await;
    let templates = databases(&mut connection, &prefix).await;
    if !templates.contains(&name) {
        for outdated in templates {
            let drop = format!("drop database if exists {outdated} with (force)");
            execute(&mut connection, &drop).await;
        }
        make(&mut connection, server, &name).await;
    }
    // The lock ends with the connection.
    connection.close().await.expect("the connection closes");
    name
}

/// Makes the template under another name, so that a process that dies here leaves no half of one.
async fn make(connection: &mut PgConnection, server: &str, name: &str) {
    let unfinished = format!("unfinished_{name}");
    for statement in [
        format!("drop database if exists {unfinished} with (force)"),
        format!("create database {unfinished} template template0"),
    ] {
        execute(connection, &statement).await;
    }
    let folder = open_folder();
    let mut migrate = Command::new(CONCORD);
    migrate
        .arg("migrate")
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("DATABASE_URL", url_of(server, &unfinished));
    Answer::of(&mut migrate).await.expect(0);
    for statement in [
        // A copy fails while anybody is connected to the template.
        format!("alter database {unfinished} with allow_connections false"),
        format!("alter database {unfinished} rename to {name}"),
    ] {
        execute(connection, &statement).await;
    }
}

/// The databases whose names start so.
async fn databases(connection: &mut PgConnection, prefix: &str) -> Vec<String> {
    let sql =
        format!("select datname::text from pg_database where starts_with(datname, '{prefix}')");
    query_scalar(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .expect("a list of databases")
}

/// What changes whenever the program is built anew.
fn version() -> (u64, Option<SystemTime>) {
    let program = fs::metadata(CONCORD).expect("the program");
    (program.len(), program.modified().ok())
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
