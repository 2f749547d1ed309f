//! What a running server says about itself in `postmaster.pid`, and whether it answers there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::failure::EmbeddedError;
use super::server_folder::ServerFolder;

/// The name of the superuser and of the database.
pub(super) const USER: &str = "concord";
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// A Unix socket in a folder; the port is part of its name.
    Socket { dir: PathBuf, port: u16 },
    /// TCP on 127.0.0.1.
    Loopback { port: u16 },
}

impl Address {
    fn options(&self, password: &str, database: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .username(USER)
            .password(password)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
            .application_name("concord");
        match self {
            Self::Socket { dir, port } => options.socket(dir).port(*port),
            Self::Loopback { port } => options.host("127.0.0.1").port(*port),
        }
    }
}

/// One run of a server: the contents of its pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Postmaster {
    pid: i32,
    started: String,
    address: Address,
    /// The server does not accept connections yet; trying would only fill its log.
    starting: bool,
}

impl Postmaster {
    /// Reads the pid file of a cluster. It may be stale: only an answer proves a server.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        let _cluster = lines.next()?;
        let started = lines.next()?.to_owned();
        let port = lines.next()?.trim().parse().ok()?;
        let address = match lines.next()? {
            "" => Address::Loopback { port },
            dir => Address::Socket {
                dir: PathBuf::from(dir),
                port,
            },
        };
        let starting = lines.nth(2).is_none_or(|state| state.trim() == "starting");
        Some(Self {
            pid,
            started,
            address,
            starting,
        })
    }

    /// Asks for a fast shutdown: sessions are ended, everything is written.
    pub(super) fn interrupt(&self) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            // The process may already be gone, which is fine.
            let _gone = kill_process(pid, Signal::INT);
        }
    }
}

/// A server that answered with our password, so it is the one of this folder.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) postmaster: Postmaster,
    pub(super) options: PgConnectOptions,
}

/// Connects to the server that the pid file names; creates the database in a new cluster.
pub(super) async fn ask(
    files: &ServerFolder,
    password: &str,
) -> Result<Option<Answer>, EmbeddedError> {
    let Some(postmaster) = Postmaster::read(&files.cluster()) else {
        return Ok(None);
    };
    if postmaster.starting {
        return Ok(None);
    }
    let options = postmaster.address.options(password, USER);
    match attempt(&options).await {
        Ok(()) => Ok(Some(Answer {
            postmaster,
            options,
        })),
        Err(error) if is_missing_database(&error) => {
            let maintenance = postmaster.address.options(password, "postgres");
            create_database(&maintenance)
                .await
                .map_err(|source| EmbeddedError::Database {
                    dir: files.dir.clone(),
                    source,
                })?;
            Ok(Some(Answer {
                postmaster,
                options,
            }))
        }
        Err(error) => {
            tracing::debug!(%error, "The embedded database server does not answer yet.");
            Ok(None)
        }
    }
}

async fn attempt(options: &PgConnectOptions) -> sqlx::Result<()> {
    let connected = tokio::time::timeout(PATIENCE, options.connect()).await;
    connected
        .map_err(|_| sqlx::Error::PoolTimedOut)??
        .close()
        .await
}

async fn create_database(maintenance: &PgConnectOptions) -> sqlx::Result<()> {
    let mut connection = maintenance.connect().await?;
    sqlx::raw_sql("create database concord")
        .execute(&mut connection)
        .await?;
    connection.close().await
}

fn is_missing_database(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("3D000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_file_tells_the_address() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("postmaster.pid");
        fs::write(
            &file,
            "71\n/d/cluster\n1790000000\n5432\n/d/socket\n\n  5432001   1\nready   \n",
        )
        .expect("file");
        let read = Postmaster::read(dir.path()).expect("a postmaster");
        assert_eq!(
            read.address,
            Address::Socket {
                dir: "/d/socket".into(),
                port: 5432
            }
        );

        fs::write(
            &file,
            "71\n/d/cluster\n1790000000\n40123\n\n127.0.0.1\n 9 9\nstarting\n",
        )
        .expect("file");
        let read = Postmaster::read(dir.path()).expect("a postmaster");
        assert_eq!(read.address, Address::Loopback { port: 40123 });

        fs::write(&file, "71\n/d/clu").expect("file");
        assert_eq!(Postmaster::read(dir.path()), None);
    }
}
