//! Opening the database.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool};

use super::failure::Target;
use super::{MIGRATOR, OpenError, migrate_with, query_as};
use crate::embedded::{self, Embedded, EmbeddedError};

const PATIENCE: Duration = Duration::from_secs(15);

/// The database section of `concord.toml`.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// A PostgreSQL URL, with `sslmode` as libpq knows it. Without one, Concord starts its own server.
    pub url: Option<String>,
    /// A file with the certificates to trust beside the public ones, in PEM form.
    pub root_certificate: Option<PathBuf>,
    /// Where the embedded server keeps its files.
    pub data_dir: PathBuf,
    /// The most connections to hold at once.
    pub max_connections: u32,
    /// How long a run goes on without the database, in seconds.
    pub away_seconds: u64,
    /// How long a promotion waits for a lock that somebody else holds, in seconds.
    pub lock_wait_seconds: u64,
    /// How many bytes of pages may wait on disk while the database is away; what is in memory comes on top.
    pub spool_bytes: u64,
}

impl DatabaseConfig {
    /// Where pages wait while the database is away.
    pub fn spool(&self) -> PathBuf {
        self.data_dir.join("spool")
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: None,
            root_certificate: None,
            data_dir: PathBuf::from("concord-data"),
            max_connections: 10,
            away_seconds: 600,
            lock_wait_seconds: 300,
            spool_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The URL holds a password, so it is not shown.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("url", &self.url.as_ref().map(|_| "(hidden)"))
            .field("root_certificate", &self.root_certificate)
            .field("data_dir", &self.data_dir)
            .field("max_connections", &self.max_connections)
            .field("away_seconds", &self.away_seconds)
            .field("lock_wait_seconds", &self.lock_wait_seconds)
            .field("spool_bytes", &self.spool_bytes)
            .finish()
    }
}

/// How long connections may take to end what they were doing.
const CLOSING: std::time::Duration = std::time::Duration::from_secs(5);

/// An open database at this binary's schema version.
pub struct Database {
    /// The connections. Every statement runs in a transaction (see the module's rule of poolers).
    pub pool: PgPool,
    /// Our share in the embedded server, if that is what runs.
    pub embedded: Option<Embedded>,
}

impl Database {
    /// Closes the connections, then stops the embedded server if nobody else uses it.
    pub async fn close(self) -> Result<(), EmbeddedError> {
        // A statement that waits for somebody's lock is waited for by its connection, also when nobody wants
        // it any more: the server takes it back when it finds us gone.
        let _ = tokio::time::timeout(CLOSING, self.pool.close()).await;
        match self.embedded {
            Some(embedded) => embedded.release().await,
            None => Ok(()),
        }
    }
}

/// Opens the configured database, or the embedded one, and migrates it.
pub async fn open(config: &DatabaseConfig) -> Result<Database, OpenError> {
    open_with(config, &MIGRATOR).await
}

/// Opens the database to look at it: nothing is migrated, and `None` where the embedded one was never made.
pub async fn look(config: &DatabaseConfig) -> Result<Option<Database>, OpenError> {
    if config.url.is_none() && !embedded::is_made(&config.data_dir) {
        return Ok(None);
    }
    open_as(config, None).await.map(Some)
}

pub(super) async fn open_with(
    config: &DatabaseConfig,
    migrator: &Migrator,
) -> Result<Database, OpenError> {
    open_as(config, Some(migrator)).await
}

async fn open_as(
    config: &DatabaseConfig,
    migrator: Option<&Migrator>,
) -> Result<Database, OpenError> {
    let (options, embedded) = match &config.url {
        Some(url) => (configured(url, config)?, None),
        None => {
            let embedded = embedded::start(&config.data_dir).await?;
            (embedded.options(), Some(embedded))
        }
    };
    // Poolers refuse parameters they do not know, and PostgreSQL's own default is as precise.
    let options = options
        .application_name("concord")
        .statement_cache_capacity(0)
        .extra_float_digits(None);
    let opened = connect(options, config, migrator).await;
    match (opened, embedded) {
        (Ok(pool), embedded) => Ok(Database { pool, embedded }),
        (Err(error), embedded) => {
            if let Some(embedded) = embedded
                && let Err(error) = embedded.release().await
            {
                tracing::warn!(%error, "The embedded database server was not stopped.");
            }
            Err(error)
        }
    }
}

fn configured(url: &str, config: &DatabaseConfig) -> Result<PgConnectOptions, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(OpenError::Url)?;
    let Some(path) = &config.root_certificate else {
        return Ok(options);
    };
    let pem = std::fs::read(path).map_err(|source| OpenError::Certificate {
        path: path.clone(),
        source,
    })?;
    Ok(options.ssl_root_cert_from_pem(pem))
}

async fn connect(
    options: PgConnectOptions,
    config: &DatabaseConfig,
    migrator: Option<&Migrator>,
) -> Result<PgPool, OpenError> {
    // One connection outside the pool first: the pool hides the cause behind its own time limit.
    let place = place(&options);
    match tokio::time::timeout(PATIENCE, version(&options)).await {
        Ok(Ok((number, _))) if number / 10_000 >= 14 => {}
        Ok(Ok((_, version))) => return Err(OpenError::TooOld { place, version }),
        Ok(Err(source)) => {
            let user = options.get_username().to_owned();
            let database = options.get_database().unwrap_or(&user).to_owned();
            return Err(Target {
                place,
                user,
                database,
            }
            .sort(source));
        }
        Err(_elapsed) => {
            return Err(OpenError::Silent {
                place,
                seconds: PATIENCE.as_secs(),
            });
        }
    }
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        // Where others have every connection, one is waited for no longer than the run bears to be without.
        .acquire_timeout(Duration::from_secs(config.away_seconds.clamp(1, 30)))
        .connect_lazy_with(options);
    let Some(migrator) = migrator else {
        return Ok(pool);
    };
    match migrate_with(migrator, &pool).await {
        Ok(()) => Ok(pool),
        Err(error) => {
            pool.close().await;
            Err(error)
        }
    }
}

async fn version(options: &PgConnectOptions) -> sqlx::Result<(i32, String)> {
    let mut connection: PgConnection = options.connect().await?;
    let mut tx = connection.begin().await?;
    let version = query_as(
        "select current_setting('server_version_num')::int, current_setting('server_version')",
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.rollback().await?;
    connection.close().await?;
    Ok(version)
}

fn place(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(dir) => dir.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}
