//! What can go wrong with the embedded server, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Why the embedded PostgreSQL server could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// No usable server binaries on this machine, and none could be downloaded.
    #[error(
        "No PostgreSQL server (14 or newer) was found on this machine{}. \
         Install one with `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora) \
         or `brew install postgresql@17` (macOS), name its folder of programs in CONCORD_PG_BIN, \
         or point DATABASE_URL to a server that runs already.{}",
        if download.is_some() { ", and none could be downloaded" } else { "" },
        listed(looked)
    )]
    NoBinaries {
        /// The places looked at, each with the reason it was passed over.
        looked: Vec<String>,
        /// Why the download failed, where one was tried.
        #[source]
        download: Option<Box<dyn std::error::Error + Send + Sync>>,
    },

    /// `CONCORD_PG_BIN` names a folder that cannot be used.
    #[error(
        "CONCORD_PG_BIN names {dir}, but {reason}. Set it to the folder that holds `postgres` and `initdb`, or unset it."
    )]
    ChosenBinaries {
        /// The folder named by the environment.
        dir: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// The cluster on disk belongs to a PostgreSQL that is not installed.
    #[error(
        "The database in {dir} was made by PostgreSQL {major}, which is not installed here. \
         Install version {major} (for example `apt-get install postgresql-{major}` or `brew install postgresql@{major}`) \
         or name its programs in CONCORD_PG_BIN.{}",
        listed(looked)
    )]
    OtherMajor {
        /// The cluster's folder.
        dir: PathBuf,
        /// The major version that made it.
        major: u32,
        /// The places looked at, each with the reason it was passed over.
        looked: Vec<String>,
    },

    /// A file or folder of the embedded server could not be read or written.
    #[error(
        "Could not {attempt} {path}. Check that it exists, that its disk has room and that this account may write there."
    )]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// A program of PostgreSQL could not be started at all.
    #[error(
        "Could not run {program}. Check that the account of the database server may read and execute it."
    )]
    Program {
        /// The program.
        program: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// The process is root, and no unprivileged account exists for the server.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has no account for it. \
         Create one with `useradd --system concord-pg`, or run Concord as an ordinary user."
    )]
    NoAccount,

    /// `initdb` failed.
    #[error(
        "PostgreSQL could not create its database in {dir}. Correct what it says and run again: {output}"
    )]
    Init {
        /// The cluster's folder.
        dir: PathBuf,
        /// What `initdb` printed.
        output: String,
    },

    /// The server ended during its start.
    #[error(
        "The embedded PostgreSQL server did not start. Correct what the end of {log} says and run again: {tail}"
    )]
    Start {
        /// The server's log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },

    /// Another process has locked the folder, but no server answers.
    #[error(
        "The folder {dir} has been in use for {seconds} seconds without an answer from its database server. \
         See server.log there; if a server process hangs, end it and run again."
    )]
    Busy {
        /// The folder of the embedded server.
        dir: PathBuf,
        /// How long was waited.
        seconds: u64,
    },

    /// The server did not end in time.
    #[error(
        "The embedded PostgreSQL server in {dir} did not stop within {seconds} seconds. See server.log there and end it by hand."
    )]
    Stop {
        /// The folder of the embedded server.
        dir: PathBuf,
        /// How long was waited.
        seconds: u64,
    },

    /// The server answers, but its database could not be created.
    #[error(
        "The embedded PostgreSQL server runs, but the database `concord` could not be created in it. See server.log in {dir}."
    )]
    Database {
        /// The folder of the embedded server.
        dir: PathBuf,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },
}

impl EmbeddedError {
    /// For `map_err`: what was attempted on which path.
    pub(super) fn file(
        attempt: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            attempt,
            path,
            source,
        }
    }
}

fn listed(looked: &[String]) -> String {
    if looked.is_empty() {
        return String::new();
    }
    format!(" Looked at: {}.", looked.join("; "))
}
