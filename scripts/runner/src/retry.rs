//! What a run does when the database fails: it tries again, waits while the database is away, and goes on.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::PgConnection;
use staging::database::{DatabaseConfig, Trouble, query};

use crate::error::{DatabaseAway, RunError};
use crate::shutdown::Shutdown;

/// How often a transaction is tried that conflicts with others.
const ATTEMPTS: u32 = 5;
/// Between two attempts to reach the database.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long to wait for the database, and what of it a run has seen.
pub struct Retry<'a> {
    pub(crate) database: &'a DatabaseConfig,
    shutdown: &'a Shutdown,
    had_outage: AtomicBool,
    conflicts: AtomicU32,
}

/// One outage, however often the database seems to be back and fails again, as one does whose disk is full.
/// Only the time spent waiting counts, not the work between.
pub(crate) struct Outage {
    /// When the wait began.
    since: Option<Timestamp>,
    waited: Duration,
    pause: Duration,
}

impl Outage {
    pub(crate) fn begin() -> Outage {
        Outage {
            since: None,
            waited: Duration::ZERO,
            pause: FIRST_PAUSE,
        }
    }
}

impl<'a> Retry<'a> {
    /// No outage and no conflict so far.
    pub fn new(database: &'a DatabaseConfig, shutdown: &'a Shutdown) -> Self {
        Self {
            database,
            shutdown,
            had_outage: AtomicBool::new(false),
            conflicts: AtomicU32::new(0),
        }
    }

    /// Forgets what earlier runs have seen.
    pub(crate) fn reset(&self) {
        self.had_outage.store(false, Ordering::Relaxed);
        self.conflicts.store(0, Ordering::Relaxed);
    }

    /// Counts a transaction that conflicted with another and is tried again.
    pub(crate) fn count_conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    /// How many transactions were tried again because they conflicted with others.
    pub(crate) fn conflicts(&self) -> u32 {
        self.conflicts.load(Ordering::Relaxed)
    }

    /// Whether the database was away during the run.
    pub(crate) fn had_outage(&self) -> bool {
        self.had_outage.load(Ordering::Relaxed)
    }

    /// Limits how long the transaction waits for a lock.
    pub(crate) async fn limit_lock_wait(&self, tx: &mut PgConnection) -> sqlx::Result<()> {
        query("select set_config('lock_timeout', $1, true)")
            .bind(format!("{}s", self.database.lock_wait_seconds))
            .execute(tx)
            .await
            .map(drop)
    }

    /// Runs a transaction until the database has committed it. When the answer to a commit is lost it runs
    /// twice, so it must be idempotent.
    pub async fn run<T>(&self, work: impl AsyncFn() -> Result<T, RunError>) -> Result<T, RunError> {
        match self.on_conflict(&work).await {
            Err(failure) if failure.trouble() == Some(Trouble::Away) => {
                self.until_back(&mut Outage::begin(), failure, work).await
            }
            done => done,
        }
    }

    /// Runs a transaction again, a few times, when it conflicts with another.
    pub(crate) async fn on_conflict<T>(
        &self,
        work: impl AsyncFn() -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        for _ in 1..ATTEMPTS {
            match work().await {
                Err(failure) if failure.trouble() == Some(Trouble::Crossed) => {
                    self.count_conflict();
                }
                done => return done,
            }
        }
        work().await
    }

    /// Tries until the database answers. Fails with [`DatabaseAway`] after `away_seconds`, or when the
    /// program is asked to end.
    pub(crate) async fn until_back<T>(
        &self,
        outage: &mut Outage,
        mut failure: RunError,
        work: impl AsyncFn() -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        tracing::warn!(reason = %failure.root(), "the database is away; the run waits for it");
        self.had_outage.store(true, Ordering::Relaxed);
        let patience = Duration::from_secs(self.database.away_seconds);
        let since = *outage.since.get_or_insert_with(Timestamp::now);
        let (began, before) = (Instant::now(), outage.waited);
        loop {
            let shutdown = tokio::select! {
                () = tokio::time::sleep(outage.pause) => false,
                () = self.shutdown.requested() => true,
            };
            outage.waited = before + began.elapsed();
            if shutdown || outage.waited > patience {
                return Err(RunError::Away(DatabaseAway {
                    since: format!("{since:.0}"),
                    why: None,
                    cause: Box::new(failure),
                }));
            }
            outage.pause = (outage.pause * 2).min(LONGEST_PAUSE);
            match work().await {
                Ok(done) => {
                    tracing::warn!(
                        seconds = began.elapsed().as_secs(),
                        "the database is back; the run goes on"
                    );
                    return Ok(done);
                }
                Err(again) if again.trouble().is_some() => failure = again,
                Err(other) => return Err(other),
            }
        }
    }
}
