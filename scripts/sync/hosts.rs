//! Hosts that ask the same sources: each says through the database that it is there, and keeps to its part of
//! the limits.

use std::time::Duration;

use fetcher::Source;
use sqlx::PgPool;
use tokio::task::JoinSet;

/// Between two words of a host. Whoever comes waits for two of them at most: the others' and its own.
const BEAT: Duration = Duration::from_secs(1);
/// How long the last word may take, since the database may be away.
const LAST_WORD: Duration = Duration::from_secs(2);

/// This host among those that ask the same sources. Where the database is away, each source keeps to its last
/// part.
pub struct Hosts {
    pool: PgPool,
    sources: Vec<Source>,
    beats: JoinSet<()>,
}

impl Hosts {
    /// Says that this host asks these sources, from now until [`Hosts::leave`].
    pub async fn announce(pool: &PgPool, sources: impl Iterator<Item = &Source>) -> Hosts {
        let sources: Vec<Source> = sources.cloned().collect();
        let mut beats = JoinSet::new();
        for source in &sources {
            // Before anything is asked.
            beat(pool, source).await;
            let (pool, source) = (pool.clone(), source.clone());
            beats.spawn(async move {
                loop {
                    tokio::time::sleep(BEAT).await;
                    beat(&pool, &source).await;
                }
            });
        }
        Hosts {
            pool: pool.clone(),
            sources,
            beats,
        }
    }

    /// Tells what was learnt last, and makes room soon, unless another process of this host goes on asking.
    pub async fn leave(mut self) {
        self.beats.shutdown().await;
        for source in &self.sources {
            let last = tokio::time::timeout(LAST_WORD, share(&self.pool, source, true)).await;
            if !matches!(last, Ok(Ok(()))) {
                tracing::debug!(
                    source = source.name(),
                    "other hosts were not told of the end"
                );
            }
        }
    }
}

async fn beat(pool: &PgPool, source: &Source) {
    if let Err(error) = share(pool, source, false).await {
        tracing::debug!(source = source.name(), %error, "other hosts were not heard of");
    }
}

async fn share(pool: &PgPool, source: &Source, last: bool) -> sqlx::Result<()> {
    let presence = source.presence();
    let mut tx = pool.begin().await?;
    let share = staging::take_share(&mut tx, source.name(), &presence).await?;
    if last {
        staging::leave_share(&mut tx, source.name(), &presence, 2 * BEAT).await?;
    }
    // Who waits for what is given up here must find it free.
    source.give_up(share.part, share.due);
    tx.commit().await?;
    source.keep_to(share.part, share.due, &share.pauses);
    Ok(())
}
