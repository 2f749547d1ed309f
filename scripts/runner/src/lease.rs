//! The lease: one run per module, and every transaction of a run looks whether it still holds it.

use std::time::Duration;

use sqlx::{PgConnection, PgPool};
use staging::Lease;

use crate::error::RunError;

/// Between two renewals.
const RENEWAL: Duration = Duration::from_secs(15);

/// Fails when another process took the lease meanwhile.
pub(crate) async fn check_lease(tx: &mut PgConnection, lease: &Lease) -> Result<(), RunError> {
    match staging::check_lease(tx, lease).await? {
        true => Ok(()),
        false => Err(RunError::LeaseLost {
            module: lease.module.clone(),
        }),
    }
}

/// The same, once no other transaction of this process is under way.
pub(crate) async fn check_lease_alone(
    tx: &mut PgConnection,
    lease: &Lease,
) -> Result<(), RunError> {
    staging::lone_lease(tx, lease).await?;
    check_lease(tx, lease).await
}

/// Renews the lease until the task is stopped.
pub(crate) async fn renew_lease(pool: PgPool, lease: Lease) {
    let mut interval = tokio::time::interval(RENEWAL);
    loop {
        interval.tick().await;
        if let Ok(mut tx) = pool.begin().await
            && staging::renew_lease(&mut tx, &lease).await.is_ok()
        {
            let _ = tx.commit().await;
        }
    }
}
