//! Records whose source says itself, with a field that the module names (`merged_into`), into which other
//! record it merged them. The record becomes another name of that one at once.

use sqlx::PgConnection;
use staging::database::query_scalar;
use staging::{ProblemKind, Report};

use super::detect::{self, Vanished, alias, merge_all};
use crate::definition::Definition;
use crate::identities::{self, Identity, Method, RecordId};
use crate::parallel_map::parallel_map;
use crate::reconcile::apply::{apply, wake};
use crate::reconcile::change_set::{self, ChangeSet};
use crate::reconcile::context::Ctx;
use crate::reconcile::pending::StagedRecord;
use crate::reconcile::withdraw::withdraw_all;

/// A record, and the id of the one that its source says it is now.
pub(crate) struct Declared<'r> {
    record: &'r StagedRecord,
    into: String,
}

/// Splits off the records that their source says it merged into others.
pub(crate) fn split<'r>(
    ctx: &Ctx<'_>,
    present: Vec<&'r StagedRecord>,
    set: &mut ChangeSet,
) -> (Vec<&'r StagedRecord>, Vec<Declared<'r>>) {
    let definition = ctx.definition;
    if definition.spec.merged_into.is_none() {
        return (present, Vec::new());
    }
    let said = parallel_map(&present, |record| {
        match record.origin == definition.name() {
            true => definition.merged_into(record.text()?),
            false => Ok(None),
        }
    });
    let (mut rest, mut declared) = (Vec::new(), Vec::new());
    for (record, said) in present.into_iter().zip(said) {
        match said {
            Ok(Some(into)) if into != record.source_id => declared.push(Declared { record, into }),
            Ok(_) => rest.push(record),
            Err(rejection) => set.quarantine(ctx, record, rejection),
        }
    }
    (rest, declared)
}

/// Settles them one after the other, since one may be merged into another of them; seldom many. One whose
/// other record has not come yet waits for it. Counts are added to `counted`; says whether records of the
/// module were woken.
pub(crate) async fn settle(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: Option<i64>,
    declared: &[Declared<'_>],
    counted: &mut ChangeSet,
) -> sqlx::Result<bool> {
    let (Some(number), mut woken) = (number, false) else {
        return Ok(false);
    };
    for Declared { record, into } in declared {
        let mut set = ChangeSet::default();
        let ids = [record.source_id.as_str(), into];
        let mut known = identities::by_record(conn, ctx.definition, &ids).await?;
        let own = known.remove(&record.source_id);
        let target = known.remove(into).filter(|target| !target.is_placeholder());
        let target = match target {
            Some(target) if lives(conn, ctx.definition, &target.entity_id).await? => {
                target.entity_id
            }
            _ => {
                wait(ctx, record, into, &mut set);
                woken |= finish(ctx, conn, number, set, counted).await?;
                continue;
            }
        };
        match own {
            Some(own) if own.entity_id == target => set.same(&record.source_id),
            Some(own) if own.method != Method::Merged => {
                merge(ctx, conn, number, record, &own, target, &mut set).await?;
            }
            own => {
                rename(ctx, conn, number, record, &target, own.is_some()).await?;
                set.same(&record.source_id);
            }
        }
        woken |= finish(ctx, conn, number, set, counted).await?;
    }
    Ok(woken)
}

async fn finish(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    set: ChangeSet,
    counted: &mut ChangeSet,
) -> sqlx::Result<bool> {
    let arrived = apply(ctx, conn, Some(number), &set).await?;
    count(&set, counted);
    wake(conn, ctx, &arrived).await
}

fn count(set: &ChangeSet, counted: &mut ChangeSet) {
    change_set::add(&mut counted.tally, &set.tally);
    counted.extent.add(&set.extent);
    counted.guarded.merge(set.guarded.clone());
    counted.parked.extend(set.parked.iter().cloned());
}

async fn lives(
    conn: &mut PgConnection,
    definition: &Definition,
    entity_id: &str,
) -> sqlx::Result<bool> {
    let found = detect::alive(conn, definition.entity(), &[entity_id.to_owned()]).await?;
    Ok(!found.is_empty())
}

fn wait(ctx: &Ctx<'_>, record: &StagedRecord, into: &str, set: &mut ChangeSet) {
    let module = ctx.definition.name().to_owned();
    set.tally.parked += 1;
    set.parked.push(record.source_id.clone());
    set.problems.push(Report {
        waits_for: Some((module.clone(), into.to_owned())),
        ..ctx.report(
            ProblemKind::Parking,
            record,
            "merged_into_unknown",
            &format!("The source says that it merged this record into {module}/{into}, which has not come. What stands stays until it does."),
        )
    });
}

/// The row of a record becomes part of the other one, unless other records of it live on.
async fn merge(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    record: &StagedRecord,
    own: &Identity,
    target: String,
    set: &mut ChangeSet,
) -> sqlx::Result<()> {
    let mut gone = ChangeSet::default();
    withdraw_all(ctx, conn, &[record], true, &mut gone).await?;
    apply(ctx, conn, Some(number), &gone).await?;
    count(&gone, set);
    let others: bool = query_scalar(
        "select exists (select from prod.identities
                        where entity_id = $2 and entity = $1 and valid_to is null and not gone)",
    )
    .bind(ctx.table.entity)
    .bind(&own.entity_id)
    .fetch_one(&mut *conn)
    .await?;
    if others {
        return rename(ctx, conn, number, record, &target, true).await;
    }
    let vanished = Vanished::declared(record, &own.entity_id);
    merge_all(ctx, conn, number, &[(vanished, target)], set).await
}

/// Makes a record another name of an entity. It claims nothing there.
async fn rename(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    record: &StagedRecord,
    into: &str,
    was_known: bool,
) -> sqlx::Result<()> {
    let id = RecordId {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: record.source_id.clone(),
    };
    let evidence = serde_json::json!({ "from": record.source_id, "moved": 0 });
    let mut change = alias(ctx, id, record.origin.clone(), into, evidence);
    if let identities::IdentityChange::Assign(assigned) = &mut change {
        assigned.was_known = was_known;
    }
    identities::write(conn, number, &[change]).await
}
