//! What a complete reading of everything did not see, and what becomes of it.

use fetcher::{FetchError, Source, is_there};
use sqlx::PgConnection;

use super::group::hold;
use super::stage::Place;
use super::{Job, ReadEnd, stopped};

/// Records asked for by their ids in one run at most; the others wait for the next complete reading.
const ASKED: usize = 1_000;

/// The ids that a pass did not see and that may be taken for deleted: at once where the source can be asked
/// for each, else after as many passes in a row as the module says.
pub(super) async fn absent(
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

/// The absent ones, after the source was asked for each of them.
#[derive(Default)]
pub(super) struct Rechecked {
    /// The source has them no more.
    pub(super) gone: Vec<String>,
    /// The source has them, though its list left them out.
    pub(super) hidden: Vec<String>,
}

impl Rechecked {
    /// What to make of a list that left records out.
    pub(super) fn cause(&self) -> Option<String> {
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
pub(super) async fn recheck(
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
    for id in absent.iter().take(ASKED) {
        match is_there(source, module, how, id).await? {
            true => rechecked.hidden.push(id.clone()),
            false => rechecked.gone.push(id.clone()),
        }
    }
    Ok(rechecked)
}

/// Marks the absent records as gone that the source has no more.
pub(super) async fn take_for_gone(
    place: &Place<'_>,
    source: &Source,
    end: &mut ReadEnd,
    missed: &[String],
) -> anyhow::Result<()> {
    if missed.is_empty() {
        return Ok(());
    }
    let rechecked = match recheck(place.job, source, missed).await {
        Ok(rechecked) => rechecked,
        Err(failure) => {
            let (state, cause) = stopped(&failure);
            end.stop = Some(state);
            end.cause = Some(cause);
            return Ok(());
        }
    };
    let marked = async || {
        let mut tx = place.job.pool.begin().await?;
        hold(&mut tx, place.lease).await?;
        let (module, pass_id) = (&place.lease.module, place.pass_id);
        staging::mark_gone(&mut tx, module, pass_id, &rechecked.gone).await?;
        if !rechecked.hidden.is_empty() {
            staging::doubt_pass(&mut tx, pass_id).await?;
        }
        Ok(tx.commit().await?)
    };
    place.job.outages.insist(marked).await?;
    if let Some(cause) = rechecked.cause() {
        end.complete = false;
        end.cause = Some(cause);
    }
    Ok(())
}
