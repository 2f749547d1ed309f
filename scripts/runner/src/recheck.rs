//! Records that a complete read did not see: the source is asked for each before it is taken for deleted.

use fetcher::{FetchError, Source, is_there};
use sqlx::PgConnection;

use crate::error::RunError;
use crate::job::Job;
use crate::lease::check_lease;
use crate::read_result::ReadResult;
use crate::staging_target::StagingTarget;

/// The most records that one run asks for by their ids; the others wait for the next complete read.
const MOST_RECHECKS: usize = 1_000;

/// The ids that a pass did not see and that may be taken for deleted: at once where the source can be asked
/// for each, else after as many passes in a row as the module says.
pub(crate) async fn absent_ids(
    job: &Job<'_>,
    conn: &mut PgConnection,
    pass_id: i64,
    earlier: Option<i64>,
) -> sqlx::Result<Vec<String>> {
    let (fetch, module) = (&job.definition.module.fetch, job.definition.name());
    let in_a_row = match fetch.recheck {
        Some(_) => 1,
        None => i32::from(fetch.absences.get()),
    };
    staging::count_absences(conn, module, pass_id, earlier, in_a_row).await
}

/// The absent records, after the source was asked for each of them.
#[derive(Default)]
pub(crate) struct Rechecked {
    /// The source no longer has them.
    pub(crate) gone: Vec<String>,
    /// The source has them, though its list left them out.
    pub(crate) hidden: Vec<String>,
}

impl Rechecked {
    /// What to say of a list that left records out.
    pub(crate) fn cause(&self) -> Option<String> {
        let first = self.hidden.first()?;
        Some(format!(
            "The source's list left out {} that it still has (first: {first}). They were not taken for deleted; the next run reads again.",
            match self.hidden.len() {
                1 => "a record".to_owned(),
                more => format!("{more} records"),
            }
        ))
    }
}

/// Asks the source for each absent record, where the module says how.
pub(crate) async fn recheck(
    job: &Job<'_>,
    source: &Source,
    absent: &[String],
) -> Result<Rechecked, FetchError> {
    let module = &job.definition.module;
    let Some(how) = &module.fetch.recheck else {
        return Ok(Rechecked {
            gone: absent.to_vec(),
            hidden: Vec::new(),
        });
    };
    let mut rechecked = Rechecked::default();
    for id in absent.iter().take(MOST_RECHECKS) {
        match is_there(source, module, how, id).await? {
            true => rechecked.hidden.push(id.clone()),
            false => rechecked.gone.push(id.clone()),
        }
    }
    Ok(rechecked)
}

/// Marks the absent records as gone that the source no longer has.
pub(crate) async fn mark_gone(
    target: &StagingTarget<'_>,
    source: &Source,
    end: &mut ReadResult,
    missed: &[String],
) -> Result<(), RunError> {
    if missed.is_empty() {
        return Ok(());
    }
    let rechecked = match recheck(target.job, source, missed).await {
        Ok(rechecked) => rechecked,
        Err(failure) => {
            end.stop_with(&failure);
            return Ok(());
        }
    };
    let marked = async || {
        let mut tx = target.job.pool.begin().await?;
        check_lease(&mut tx, target.lease).await?;
        let (module, pass_id) = (&target.lease.module, target.pass_id);
        staging::mark_gone(&mut tx, module, pass_id, &rechecked.gone).await?;
        if !rechecked.hidden.is_empty() {
            staging::doubt_pass(&mut tx, pass_id).await?;
        }
        Ok(tx.commit().await?)
    };
    target.job.retry.run(marked).await?;
    if let Some(cause) = rechecked.cause() {
        end.complete = false;
        end.cause = Some(cause);
    }
    Ok(())
}
