//! What a run does while the database is away: it waits, asks again, and goes on where it was.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use staging::database::{DatabaseConfig, Trouble, trouble};

use super::Stop;

/// How often a transaction that crossed another is tried.
const TRIES: u32 = 5;
/// Between two looks at whether the database is back.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The outages of a run: how long it bears them, and whether there was one.
pub struct Outages<'a> {
    pub(super) database: &'a DatabaseConfig,
    stop: &'a Stop,
    outlived: AtomicBool,
    crossed: AtomicU32,
}

/// The database stayed away for longer than the run was ready to wait.
#[derive(Debug, thiserror::Error)]
#[error(
    "The database has been away since {since}.{} What was read is kept, and the next run goes on from there; start it when the database is back.",
    why.as_ref().map(|why| format!(" {why}")).unwrap_or_default()
)]
pub struct Away {
    since: String,
    /// What is known of the reason, as a sentence.
    pub(super) why: Option<String>,
}

/// One outage, however often the database seems to be back and fails again, as one does whose disk is full.
/// Only what is waited counts, not the work between.
pub(super) struct Outage {
    /// When it was first waited for.
    since: Option<Timestamp>,
    waited: Duration,
    pause: Duration,
}

impl Outage {
    pub(super) fn begin() -> Outage {
        Outage {
            since: None,
            waited: Duration::ZERO,
            pause: FIRST_PAUSE,
        }
    }
}

/// The trouble behind a failure; `None` where trying again changes nothing.
pub(super) fn trouble_of(failure: &anyhow::Error) -> Option<Trouble> {
    let sql = failure.chain().find_map(|cause| cause.downcast_ref());
    sql.and_then(trouble)
}

impl<'a> Outages<'a> {
    /// None so far.
    pub fn new(database: &'a DatabaseConfig, stop: &'a Stop) -> Self {
        Self {
            database,
            stop,
            outlived: AtomicBool::new(false),
            crossed: AtomicU32::new(0),
        }
    }

    /// A run begins, and has seen none.
    pub(super) fn forget(&self) {
        self.outlived.store(false, Ordering::Relaxed);
        self.crossed.store(0, Ordering::Relaxed);
    }

    /// A transaction of the run crossed another, and is tried again.
    pub(super) fn cross(&self) {
        self.crossed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many transactions were tried again since they crossed others.
    pub(super) fn crossed(&self) -> u32 {
        self.crossed.load(Ordering::Relaxed)
    }

    /// Whether the database was away; a run that ends all the same has outlived it.
    pub(super) fn outlived(&self) -> bool {
        self.outlived.load(Ordering::Relaxed)
    }

    /// Does a transaction until the database has taken it. It may be done twice, when the answer to a commit
    /// is lost, and must be harmless then.
    pub async fn insist<T>(&self, work: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
        match self.uncross(&work).await {
            Err(failure) if trouble_of(&failure) == Some(Trouble::Away) => {
                self.until_back(&mut Outage::begin(), failure, work).await
            }
            done => done,
        }
    }

    /// Does a transaction again, a few times, where it crossed another.
    pub(super) async fn uncross<T>(
        &self,
        work: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        for _ in 1..TRIES {
            match work().await {
                Err(failure) if trouble_of(&failure) == Some(Trouble::Crossed) => self.cross(),
                done => return done,
            }
        }
        work().await
    }

    /// Asks until the database answers, and fails with [`Away`] when it has not done so for `away_seconds`,
    /// or the program is asked to end.
    pub(super) async fn until_back<T>(
        &self,
        outage: &mut Outage,
        mut failure: anyhow::Error,
        work: impl AsyncFn() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        tracing::warn!(reason = %failure.root_cause(), "the database is away; the run waits for it");
        self.outlived.store(true, Ordering::Relaxed);
        let patience = Duration::from_secs(self.database.away_seconds);
        let since = *outage.since.get_or_insert_with(Timestamp::now);
        let (began, before) = (Instant::now(), outage.waited);
        loop {
            let stopped = tokio::select! {
                () = tokio::time::sleep(outage.pause) => false,
                () = self.stop.asked() => true,
            };
            outage.waited = before + began.elapsed();
            if stopped || outage.waited > patience {
                let since = format!("{since:.0}");
                return Err(failure.context(Away { since, why: None }));
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
                Err(again) if trouble_of(&again).is_some() => failure = again,
                Err(other) => return Err(other),
            }
        }
    }
}
