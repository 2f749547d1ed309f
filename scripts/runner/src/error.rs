//! Why a run cannot go on.

use std::borrow::Cow;
use std::error::Error;
use std::iter::successors;

use fetcher::FetchError;
use reconciler::{ReconcileError, TableError};
use staging::database::{Trouble, trouble};

/// Why a run cannot go on. What a source or a record does wrong is an outcome of the run and never one of
/// these.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A statement failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The database stayed away for longer than the run may wait.
    #[error(transparent)]
    Away(DatabaseAway),
    /// Another process took the module's lease.
    #[error(
        "The lease of `{module}` was taken by another process while this one slept; that one goes on, and this one has changed nothing more."
    )]
    LeaseLost {
        /// The module.
        module: String,
    },
    /// The database lacks pages that it had committed, or has pages that this run did not send.
    #[error("the last pages it had taken are not in the database any more")]
    PagesLost,
    /// The source, where a failed read is not an outcome: in a dry run.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Reconciling stopped.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
    /// A production table cannot be brought to its contract.
    #[error(transparent)]
    Tables(#[from] TableError),
    /// The spool on disk cannot be used.
    #[error("{doing}")]
    Spool {
        /// What failed, as a sentence.
        doing: &'static str,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A value cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// One of the above, with the step in which it happened.
    #[error("{doing}")]
    During {
        /// The step, as a sentence.
        doing: Cow<'static, str>,
        /// What happened.
        #[source]
        cause: Box<RunError>,
    },
}

/// The database stayed away for longer than the run may wait.
#[derive(Debug, thiserror::Error)]
#[error(
    "The database has been away since {since}.{} What was read is kept, and the next run goes on from there; start it when the database is back.",
    why.as_ref().map(|why| format!(" {why}")).unwrap_or_default()
)]
pub struct DatabaseAway {
    pub(crate) since: String,
    /// What is known of the reason, as a sentence.
    pub(crate) why: Option<String>,
    /// The last attempt.
    #[source]
    pub(crate) cause: Box<RunError>,
}

impl RunError {
    /// Adds the step in which an error happened.
    pub(crate) fn during(doing: impl Into<Cow<'static, str>>) -> impl FnOnce(RunError) -> RunError {
        |cause| RunError::During {
            doing: doing.into(),
            cause: Box::new(cause),
        }
    }

    /// The failed statement behind the error.
    pub fn database(&self) -> Option<&sqlx::Error> {
        match self {
            RunError::Database(failure) => Some(failure),
            RunError::During { cause, .. } | RunError::Away(DatabaseAway { cause, .. }) => {
                cause.database()
            }
            other => causes(other).find_map(|cause| cause.downcast_ref()),
        }
    }

    /// A failure of the database that may pass; `None` where trying again changes nothing.
    pub fn trouble(&self) -> Option<Trouble> {
        self.database().and_then(trouble)
    }

    /// The SQLSTATE and the message of the failed statement.
    pub(crate) fn refusal(&self) -> Option<(Cow<'_, str>, &str)> {
        let error = self.database()?.as_database_error()?;
        Some((error.code()?, error.message()))
    }

    /// The outage that the error is about, in whatever step it happened.
    pub(crate) fn away_mut(&mut self) -> Option<&mut DatabaseAway> {
        match self {
            RunError::Away(away) => Some(away),
            RunError::During { cause, .. } => cause.away_mut(),
            _ => None,
        }
    }

    /// The outage that the error is about, or the error itself.
    pub fn into_away(self) -> Result<DatabaseAway, RunError> {
        match self {
            RunError::Away(away) => Ok(away),
            RunError::During { doing, cause } => cause.into_away().map_err(RunError::during(doing)),
            other => Err(other),
        }
    }

    /// The error and all its causes in one line.
    pub(crate) fn in_one_line(&self) -> String {
        causes(self).fold(self.to_string(), |line, cause| format!("{line}: {cause}"))
    }

    /// The innermost cause.
    pub(crate) fn root(&self) -> String {
        causes(self)
            .last()
            .map_or_else(|| self.to_string(), ToString::to_string)
    }
}

fn causes<'e>(error: &'e RunError) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(error.source(), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_is_found_in_every_wrapping() {
        let sql = || sqlx::Error::PoolTimedOut;
        let away = RunError::Away(DatabaseAway {
            since: "now".to_owned(),
            why: None,
            cause: Box::new(sql().into()),
        });
        let wrapped = [
            RunError::from(sql()),
            RunError::from(ReconcileError::from(sql())),
            RunError::from(TableError::from(sql())),
            RunError::during("Staging stopped.")(sql().into()),
            RunError::during("Staging stopped.")(away),
        ];
        for error in wrapped {
            assert_eq!(error.trouble(), Some(Trouble::Away), "{error:?}");
        }
        assert_eq!(RunError::PagesLost.trouble(), None);
    }

    #[test]
    fn an_outage_is_found_below_the_step_and_other_errors_stay_whole() {
        let away = RunError::Away(DatabaseAway {
            since: "now".to_owned(),
            why: None,
            cause: Box::new(RunError::PagesLost),
        });
        let during = RunError::during("Staging stopped.");
        assert_eq!(during(away).into_away().expect("an outage").since, "now");
        let during = RunError::during("Staging stopped.");
        let other = during(RunError::PagesLost)
            .into_away()
            .expect_err("no outage");
        assert_eq!(
            other.in_one_line(),
            "Staging stopped.: the last pages it had taken are not in the database any more"
        );
    }
}
