//! Hosts that read the same sources share the rate limits: each one announces itself in the database and
//! keeps to its share.

use std::time::Duration;

use fetcher::Source;
use sqlx::PgPool;
use tokio::task::JoinSet;

/// Between two heartbeats of a host. A new host waits for two of them at most: the others' and its own.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long leaving may take, since the database may be away.
const LEAVING: Duration = Duration::from_secs(2);

/// This host among those that read the same sources. While the database is away, each source keeps to its
/// last share.
pub struct Hosts {
    pool: PgPool,
    sources: Vec<Source>,
    heartbeats: JoinSet<()>,
}

impl Hosts {
    /// Announces that this host reads these sources, from now until [`Hosts::leave`].
    pub async fn announce(pool: &PgPool, sources: impl Iterator<Item = &Source>) -> Hosts {
        let sources: Vec<Source> = sources.cloned().collect();
        let mut heartbeats = JoinSet::new();
        for source in &sources {
            // Before the first request.
            heartbeat(pool, source).await;
            let (pool, source) = (pool.clone(), source.clone());
            heartbeats.spawn(async move {
                loop {
                    tokio::time::sleep(HEARTBEAT).await;
                    heartbeat(&pool, &source).await;
                }
            });
        }
        Hosts {
            pool: pool.clone(),
            sources,
            heartbeats,
        }
    }

    /// Shares what was learnt last and gives the share up, unless another process of this host goes on
    /// reading.
    pub async fn leave(mut self) {
        self.heartbeats.shutdown().await;
        for source in &self.sources {
            let last =
                tokio::time::timeout(LEAVING, share(&self.pool, source, Presence::Leaving)).await;
            if !matches!(last, Ok(Ok(()))) {
                tracing::debug!(
                    source = source.name(),
                    "other hosts were not told of the end"
                );
            }
        }
    }
}

async fn heartbeat(pool: &PgPool, source: &Source) {
    if let Err(error) = share(pool, source, Presence::Staying).await {
        tracing::debug!(source = source.name(), %error, "other hosts were not heard of");
    }
}

/// Whether a host goes on reading a source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Staying,
    Leaving,
}

async fn share(pool: &PgPool, source: &Source, host: Presence) -> sqlx::Result<()> {
    let presence = source.presence();
    let mut tx = pool.begin().await?;
    let share = staging::take_share(&mut tx, source.name(), &presence).await?;
    if host == Presence::Leaving {
        staging::leave_share(&mut tx, source.name(), &presence, 2 * HEARTBEAT).await?;
    }
    // A host that waits for what is given up here must find it free.
    source.give_up(share.part, share.due);
    tx.commit().await?;
    source.keep_to(share.part, share.due, &share.pauses);
    Ok(())
}
