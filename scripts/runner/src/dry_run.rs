//! A dry run: shows what a run would do and writes nothing, in one transaction that is rolled back.

use fetcher::{Read, Selection, Source, pages};
use futures::{StreamExt, TryStreamExt};
use reconciler::history::{RowDiff, diff};
use reconciler::{Reconciled, Reconciling, reconcile};
use staging::{ExaminedPage, PagePlace, PageTally};

use crate::error::RunError;
use crate::job::{Job, Progress};
use crate::read_result::state_of;
use crate::recheck::{absent_ids, recheck};
use crate::selection::select;

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// What was read.
    pub staged: PageTally,
    /// What would become of it.
    pub reconciled: Reconciled,
    /// The rows that would change, cell by cell, up to the limit asked for.
    pub rows: Vec<RowDiff>,
    /// Why the read was not complete, if it was not.
    pub cause: Option<String>,
}

/// Fetches, stages, reconciles and rolls it all back. Leaves no run, no page and no checkpoint.
pub async fn dry_run(job: &Job<'_>, source: &Source, limit: i64) -> Result<DryRun, RunError> {
    let module = job.definition.name();
    let mut tx = job.pool.begin().await?;
    staging::ensure_partition(&mut tx, module).await?;
    let selected = select(job, &mut tx).await?;
    // An interrupted pass is of no use here, and stays as it is once this is rolled back.
    let strategy = format!("{} (dry)", selected.strategy);
    let (since, until) = (selected.since.as_deref(), selected.until.as_deref());
    let pass = staging::open_pass(&mut tx, module, &strategy, since, until).await?;
    let selection = Selection {
        since: selected.since,
        until: selected.until,
        ..Selection::default()
    };
    let mut stream = pages(source, &job.definition.module, selection, None);
    let mut staged = PageTally::default();
    let (mut total, mut cause) = (None, None);
    let derivations = job.definitions.derivations();
    while let Some(item) = stream.next().await {
        match item {
            Ok(page) => {
                total = page.total_count.or(total);
                let place = PagePlace {
                    module,
                    pass_id: pass.pass_id,
                    run_id: None,
                    cursor: None,
                };
                let page = [ExaminedPage::from(page)];
                staged += staging::stage_pages(&mut tx, place, &page, &derivations).await?;
                (job.progress)(Progress::Read(i64::from(staged.fetched), total));
            }
            Err(failure) => cause = Some(state_of(&failure).1),
        }
    }
    if cause.is_none() {
        let is_cut = selected.strategy == Read::NewestFirst.as_str();
        let total = total.filter(|_| !is_cut);
        let total = total.and_then(|total| i64::try_from(total).ok());
        let closed = staging::close_pass(&mut tx, module, pass.pass_id, total).await?;
        if closed.complete && selected.strategy == "full" {
            let missed = absent_ids(job, &mut tx, pass.pass_id, None).await?;
            let rechecked = recheck(job, source, &missed).await?;
            staging::mark_gone(&mut tx, module, pass.pass_id, &rechecked.gone).await?;
            cause = rechecked.cause();
        }
        cause = cause.or(closed.cause);
    }
    let of = Reconciling {
        definitions: job.definitions,
        module,
        run_id: 0,
        actor: job.actor,
        decided: &|_| {},
        caution: None,
    };
    let reconciled = reconcile(&mut tx, &of).await?;
    let rows = match &reconciled.promotion {
        Some(sealed) => {
            diff(&mut tx, sealed.number - 1, sealed.number, Some(limit), None)
                .try_collect()
                .await?
        }
        None => Vec::new(),
    };
    tx.rollback().await?;
    Ok(DryRun {
        staged,
        reconciled,
        rows,
        cause,
    })
}
