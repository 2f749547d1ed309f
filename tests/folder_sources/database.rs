//! Databases of a test's own on the server that `DATABASE_URL` names.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

static MADE: AtomicU32 = AtomicU32::new(0);

/// One empty database, gone with `drop_database`.
pub struct OwnDatabase {
    pub url: String,
    name: String,
}

impl OwnDatabase {
    pub async fn create(purpose: &str) -> OwnDatabase {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("concord_{purpose}_{}_{number}", std::process::id());
        let mut server = connect(&server_url()).await;
        run(&mut server, &format!("drop database if exists {name} with (force)")).await;
        run(&mut server, &format!("create database {name}")).await;
        let server = server_url();
        let (place, options) = server.split_once('?').map_or((server.as_str(), None), |(p, o)| (p, Some(o)));
        let (host, _) = place.rsplit_once('/').expect("DATABASE_URL names a database");
        let options = options.map(|options| format!("?{options}")).unwrap_or_default();
        OwnDatabase { url: format!("{host}/{name}{options}"), name }
    }

    /// Runs statements, several at once if need be.
    pub async fn execute(&self, sql: &str) {
        let mut connection = connect(&self.url).await;
        run(&mut connection, sql).await;
        connection.close().await.unwrap();
    }

    /// The first two columns of every row, joined by a bar.
    pub async fn lines(&self, sql: &str) -> Vec<String> {
        let mut connection = connect(&self.url).await;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| format!("{}|{}", row.get::<String, _>(0), row.get::<String, _>(1))).collect()
    }

    /// The one text that a query answers with.
    pub async fn text(&self, sql: &str) -> String {
        let mut connection = connect(&self.url).await;
        let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        row.get::<Option<String>, _>(0).unwrap_or_default()
    }

    pub async fn drop_database(self) {
        let mut server = connect(&server_url()).await;
        run(&mut server, &format!("drop database {} with (force)", self.name)).await;
    }
}

fn server_url() -> String {
    std::env::var("DATABASE_URL").expect(
        "DATABASE_URL is not set. scripts/test.sh starts a throw-away PostgreSQL and sets it; run the tests with that.",
    )
}

async fn connect(url: &str) -> PgConnection {
    PgConnection::connect(url).await.expect("the PostgreSQL server of DATABASE_URL answers")
}

async fn run(connection: &mut PgConnection, sql: &str) {
    let ran = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await;
    ran.unwrap_or_else(|failure| panic!("{sql:.200}: {failure}"));
}
