//! The database of a test: created on the server of `DATABASE_URL`, dropped at the end.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Url;
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};
use staging::database::query_as;

use super::template;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A database of its own.
pub struct TestDatabase {
    /// Its address.
    pub url: String,
    /// Connections to it.
    pub pool: PgPool,
    server: String,
    name: String,
}

impl TestDatabase {
    /// Creates an empty one, as a user has before the first run.
    pub async fn empty() -> TestDatabase {
        TestDatabase::copy_of("template0").await
    }

    /// Creates one as `concord migrate` leaves it: Concord's schemas and the production tables.
    pub async fn migrated() -> TestDatabase {
        let template = template::migrated(&server()).await;
        TestDatabase::copy_of(&template).await
    }

    async fn copy_of(template: &str) -> TestDatabase {
        let server = server();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("concord_test_{}_{number}", std::process::id());
        let mut connection = connect(&server).await;
        // A killed test of an earlier process with our number may have left one behind.
        execute(&mut connection, &drop_database(&name)).await;
        let create = format!("create database {name} template {template}");
        execute(&mut connection, &create).await;
        connection.close().await.expect("the connection closes");
        let url = url_of(&server, &name);
        let options = PgConnectOptions::from_str(&url)
            .expect("a URL of PostgreSQL")
            .options([("timezone", "UTC")]);
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect_lazy_with(options);
        TestDatabase {
            url,
            pool,
            server,
            name,
        }
    }

    /// Runs statements.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> impl Future<Output = ()> + use<> {
        let (pool, sql) = (self.pool.clone(), sql.to_owned());
        let place = std::panic::Location::caller();
        async move {
            if let Err(error) = sqlx::raw_sql(AssertSqlSafe(sql.clone()))
                .execute(&pool)
                .await
            {
                panic!("{place}: {error}\n{sql}");
            }
        }
    }

    /// The rows of a query, as JSON objects.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> impl Future<Output = Vec<Value>> + use<> {
        let (pool, sql) = (
            self.pool.clone(),
            format!("select to_jsonb(t)::text from ({sql}) t"),
        );
        let place = std::panic::Location::caller();
        async move {
            let rows: Result<Vec<(String,)>, _> =
                query_as(AssertSqlSafe(sql.clone())).fetch_all(&pool).await;
            let rows = rows.unwrap_or_else(|error| panic!("{place}: {error}\n{sql}"));
            let read =
                |(text,): (String,)| serde_json::from_str(&text).expect("JSON of the server");
            rows.into_iter().map(read).collect()
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test's runtime may be ending, and dropping cannot wait in it.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let drop = async move {
                let mut connection = connect(&server).await;
                execute(&mut connection, &drop_database(&name)).await;
                connection.close().await.expect("the connection closes");
            };
            runtime.expect("a runtime").block_on(drop);
        });
        if dropped.join().is_err() {
            eprintln!("the database {} was left behind", self.name);
        }
    }
}

fn server() -> String {
    std::env::var("DATABASE_URL").expect(
        "DATABASE_URL names a server on which databases may be created; scripts/test.sh starts one",
    )
}

fn drop_database(name: &str) -> String {
    format!("drop database if exists {name} with (force)")
}

/// The address of another database on the same server.
pub(super) fn url_of(server: &str, database: &str) -> String {
    let mut url = Url::parse(server).expect("DATABASE_URL is a URL");
    url.set_path(database);
    url.to_string()
}

/// A connection to the server's own database.
pub(super) async fn connect(server: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(server).expect("a URL of PostgreSQL");
    options
        .connect()
        .await
        .expect("the server of DATABASE_URL answers")
}

/// Runs one statement outside of any transaction.
pub(super) async fn execute(connection: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await;
    done.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}
