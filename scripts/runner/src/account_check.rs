//! Before a module reads: does its source still answer for the account whose data production holds?

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fetcher::Source;
use staging::RunState;

use crate::approval::{ChangeApproval, request_approval, take_approval};
use crate::error::RunError;
use crate::job::Job;
use crate::read_result::state_of;

/// A process that runs for days asks again after this long.
const FRESH: Duration = Duration::from_secs(300);

static VERIFIED: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(Mutex::default);

/// Why the module may not read: another account, or a source that does not say which. `None` where the
/// account is the same, or no `account` is configured.
pub(crate) async fn check_account(
    job: &Job<'_>,
    source: &Source,
    run_id: i64,
) -> Result<Option<(RunState, String)>, RunError> {
    let name = source.name();
    let verified = || VERIFIED.lock().unwrap_or_else(PoisonError::into_inner);
    if verified().get(name).is_some_and(|at| at.elapsed() < FRESH) {
        return Ok(None);
    }
    let account = match source.account().await {
        Ok(Some(account)) => account,
        Ok(None) => return Ok(None),
        Err(failure) => return Ok(Some(state_of(&failure))),
    };
    let refused = job
        .retry
        .run(async || compare(job, name, &account, run_id).await)
        .await?;
    if refused.is_none() {
        verified().insert(name.to_owned(), Instant::now());
    }
    Ok(refused)
}

async fn compare(
    job: &Job<'_>,
    name: &str,
    account: &str,
    run_id: i64,
) -> Result<Option<(RunState, String)>, RunError> {
    let mut tx = job.pool.begin().await?;
    let known = staging::known_account(&mut tx, name).await?;
    let other = known.filter(|known| known != account);
    let of = ChangeApproval {
        module: job.definition.name(),
        code: "account",
        change: account.into(),
    };
    let refused = match other {
        Some(known) if !take_approval(&mut tx, &of).await? => {
            let why = format!(
                "`{name}` answers for the account {account}, and production holds the data of {known}. Nothing was read."
            );
            let number = request_approval(&mut tx, &of, run_id, &why).await?;
            Some((
                RunState::Blocked,
                format!(
                    "{why} Correct the credentials; if the source has moved on purpose, `concord approve {number} --reason …` and run again."
                ),
            ))
        }
        _ => {
            staging::keep_account(&mut tx, name, account).await?;
            None
        }
    };
    tx.commit().await?;
    Ok(refused)
}
