//! Before a module reads: is this still the account whose data we hold?

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fetcher::Source;
use staging::RunState;

use super::approval::{Question, ask, taken};
use super::{Job, stopped};

/// A process that runs for days asks again after this long.
const FRESH: Duration = Duration::from_secs(300);

static VERIFIED: LazyLock<Mutex<HashMap<String, Instant>>> = LazyLock::new(Mutex::default);

/// Why the module may not read: another account, or a source that does not say which. `None` where all is
/// well, or no `account` is configured.
pub(super) async fn look(
    job: &Job<'_>,
    source: &Source,
    run_id: i64,
) -> anyhow::Result<Option<(RunState, String)>> {
    let name = source.name();
    let verified = || VERIFIED.lock().unwrap_or_else(PoisonError::into_inner);
    if verified().get(name).is_some_and(|at| at.elapsed() < FRESH) {
        return Ok(None);
    }
    let account = match source.account().await {
        Ok(Some(account)) => account,
        Ok(None) => return Ok(None),
        Err(failure) => return Ok(Some(stopped(&failure))),
    };
    let refused = job
        .outages
        .insist(async || judge(job, name, &account, run_id).await)
        .await?;
    if refused.is_none() {
        verified().insert(name.to_owned(), Instant::now());
    }
    Ok(refused)
}

async fn judge(
    job: &Job<'_>,
    name: &str,
    account: &str,
    run_id: i64,
) -> anyhow::Result<Option<(RunState, String)>> {
    let mut tx = job.pool.begin().await?;
    let known = staging::known_account(&mut tx, name).await?;
    let other = known.filter(|known| known != account);
    let of = Question {
        module: job.definition.name(),
        code: "account",
        change: account.into(),
    };
    let refused = match other {
        Some(known) if !taken(&mut tx, &of).await? => {
            let why = format!(
                "`{name}` answers for the account {account}, and production holds the data of {known}. Nothing was read."
            );
            let number = ask(&mut tx, &of, run_id, &why).await?;
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
