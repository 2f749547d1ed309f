//! Why a database could not be opened, as sentences that never hold the password.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use crate::embedded::failure::EmbeddedError;

/// Why the database could not be opened or brought up to date.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The embedded server failed.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),

    /// The database URL cannot be read.
    #[error(
        "The database URL cannot be read. Write it as postgres://USER:PASSWORD@HOST:5432/DATABASE?sslmode=verify-full, with special characters of the password percent-encoded."
    )]
    Url(#[source] sqlx::Error),

    /// The file of trusted certificates cannot be read.
    #[error("The certificates in {} could not be read. Correct `root_certificate`, or remove it if a public authority signed the server's certificate.", path.display())]
    Certificate {
        /// The file named by the configuration.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },

    /// Nobody answers at the address.
    #[error(
        "The database server at {place} could not be reached. Check host and port in the database URL, that the server runs, and that no firewall stands between."
    )]
    Unreachable {
        /// Host and port, or the socket.
        place: String,
        /// The system's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The server accepts the connection, but does not answer in time.
    #[error(
        "The database server at {place} did not answer within {seconds} seconds. Check that the port belongs to PostgreSQL and that the server is not overloaded."
    )]
    Silent {
        /// Host and port, or the socket.
        place: String,
        /// How long was waited.
        seconds: u64,
    },

    /// The server refuses the user or the password.
    #[error(
        "The database server at {place} refused user \"{user}\" or the password. Check both in the database URL; for a hosted pooler, the user name often holds the project's name too."
    )]
    Refused {
        /// Host and port, or the socket.
        place: String,
        /// The user name tried.
        user: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The database does not exist.
    #[error(
        "The database \"{database}\" does not exist at {place}. Create it with `create database \"{database}\"`, or correct the name at the end of the database URL."
    )]
    DatabaseMissing {
        /// Host and port, or the socket.
        place: String,
        /// The database tried.
        database: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The server wants TLS and got none.
    #[error(
        "The database server at {place} accepts encrypted connections only. Add `sslmode=require`, or better `sslmode=verify-full`, to the database URL."
    )]
    TlsRequired {
        /// Host and port, or the socket.
        place: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The URL wants TLS and the connection could not be encrypted as it asks.
    #[error(
        "No trusted encrypted connection to the database server at {place} could be made. Check the server's certificate and name the certificate of its authority in `root_certificate`; only for a server on the same machine, `sslmode=disable` does without."
    )]
    Tls {
        /// Host and port, or the socket.
        place: String,
        /// What went wrong.
        #[source]
        source: sqlx::Error,
    },

    /// All connections of the server are taken.
    #[error(
        "The database server at {place} has no connection left. Lower `max_connections`, close other programs' connections, or raise the server's limit."
    )]
    Crowded {
        /// Host and port, or the socket.
        place: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The server is too old.
    #[error(
        "The database server at {place} is PostgreSQL {version}, and Concord needs 14 or newer. Upgrade the server."
    )]
    TooOld {
        /// Host and port, or the socket.
        place: String,
        /// Its version.
        version: String,
    },

    /// Any other failure to connect.
    #[error(
        "The database at {place} could not be opened. Read the cause below, correct it and run again."
    )]
    Connect {
        /// Host and port, or the socket.
        place: String,
        /// The cause.
        #[source]
        source: sqlx::Error,
    },

    /// The schema was made by a newer binary.
    #[error(
        "The database is at schema version {database}, and this program knows versions up to {binary} only. Install the newer Concord that brought it there; an older one must not write to it."
    )]
    NewerSchema {
        /// The newest version applied to the database.
        database: i64,
        /// The newest version this binary knows.
        binary: i64,
    },

    /// A migration was edited after it had been applied.
    #[error(
        "Migration {version} ({description}) differs from the one that was applied to this database. Applied migrations are never edited: restore the file, and put the change into a new migration."
    )]
    EditedMigration {
        /// The migration.
        version: i64,
        /// Its name.
        description: String,
    },

    /// The database holds a migration from another line of development.
    #[error(
        "The database holds migration {version} ({description}), which this program does not know, though it knows later ones. Run the program that applied it, or restore the database from a backup."
    )]
    UnknownMigration {
        /// The migration.
        version: i64,
        /// Its name.
        description: String,
    },

    /// A migration failed; nothing of it was applied.
    #[error(
        "Migration {version} ({description}) failed, and nothing was changed. Read the cause below, correct it and run again."
    )]
    Migration {
        /// The migration.
        version: i64,
        /// Its name.
        description: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },

    /// The list of applied migrations could not be read or written.
    #[error(
        "The list of applied migrations (table {table}) could not be used. Check that the database user may create schemas, and run again."
    )]
    Ledger {
        /// The table.
        table: String,
        /// The server's answer.
        #[source]
        source: sqlx::Error,
    },
}

/// Where and as whom a connection was tried.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) place: String,
    pub(super) user: String,
    pub(super) database: String,
}

impl Target {
    /// Sorts a failed connection, once, by what the person at the keyboard can do about it.
    /// PgBouncer and Supavisor answer with codes of their own, so some are known by their words.
    pub(super) fn sort(self, source: sqlx::Error) -> OpenError {
        let Self {
            place,
            user,
            database,
        } = self;
        let (code, words) = match &source {
            // rustls reports a certificate that it does not trust as invalid data.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
                return OpenError::Tls { place, source };
            }
            sqlx::Error::Io(_) => return OpenError::Unreachable { place, source },
            sqlx::Error::Tls(_) => return OpenError::Tls { place, source },
            sqlx::Error::Database(error) => (
                error.code().unwrap_or_default().into_owned(),
                error.message().to_lowercase(),
            ),
            _ => return OpenError::Connect { place, source },
        };
        let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
        if says(&[
            "no encryption",
            "ssl off",
            "ssl required",
            "ssl connection is required",
        ]) {
            OpenError::TlsRequired { place, source }
        } else if code == "3D000" || says(&["no such database"]) {
            OpenError::DatabaseMissing {
                place,
                database,
                source,
            }
        } else if code == "53300"
            || says(&[
                "no more connections allowed",
                "max client connections reached",
            ])
        {
            OpenError::Crowded { place, source }
        } else if code.starts_with("28")
            || says(&[
                "authentication failed",
                "auth failed",
                "no such user",
                "tenant or user not found",
            ])
        {
            OpenError::Refused {
                place,
                user,
                source,
            }
        } else {
            OpenError::Connect { place, source }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_not_trusted_is_no_matter_of_reachability() {
        let target = || Target {
            place: "db.example:5432".to_owned(),
            user: "app".to_owned(),
            database: "app".to_owned(),
        };
        for (kind, tls) in [
            (ErrorKind::InvalidData, true),
            (ErrorKind::ConnectionRefused, false),
            (ErrorKind::UnexpectedEof, false),
        ] {
            let sorted = target().sort(sqlx::Error::Io(kind.into()));
            assert_eq!(matches!(sorted, OpenError::Tls { .. }), tls, "{kind}");
            assert_eq!(
                matches!(sorted, OpenError::Unreachable { .. }),
                !tls,
                "{kind}"
            );
        }
    }
}
