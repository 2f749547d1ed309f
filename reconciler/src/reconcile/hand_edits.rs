//! Edits by hand in rows that no record of this run concerns: taken up as overrides, so that all of them can
//! be listed.

use sqlx::PgConnection;
use staging::database::query_scalar;

use super::apply;
use super::change_set::ChangeSet;
use super::context::Ctx;
use super::settle::settle_overrides;
use super::standing::Standing;
use crate::resolve::{Claimed, resolve};

/// Rows looked at with one round of statements.
const BATCH: i64 = 1_000;

/// Makes overrides of everything that people wrote into the module's table since the last run, as the table's
/// trigger saw it.
pub(crate) async fn take_up(ctx: &Ctx<'_>, conn: &mut PgConnection) -> sqlx::Result<()> {
    loop {
        let ids: Vec<String> = query_scalar(
            "select distinct entity_id from (
                 select entity_id from history.edits
                 where entity = $1 and entity_id <> '' and not taken order by entity_id limit $2 for update) e",
        )
        .bind(ctx.table.entity)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        take_up_rows(ctx, conn, &ids).await?;
    }
}

/// Makes overrides of what people wrote into these rows.
pub(crate) async fn take_up_rows(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    ids: &[&str],
) -> sqlx::Result<()> {
    let mut standing = Standing::read(conn, ctx.table.entity, ids, false).await?;
    let mut set = ChangeSet::default();
    for id in ids {
        let mut entity = standing.take(ctx, id, &mut set);
        let claimed = Claimed::of(ctx.table, &entity.claims());
        if claimed.columns.is_empty() && entity.identities.is_empty() {
            // Nobody's record: it is theirs who wrote it, and no override of anything.
            set.overrides.retain(|change| change.entity_id != *id);
            continue;
        }
        let resolved = resolve(ctx.table, &claimed, &entity.overrides);
        settle_overrides(ctx, &mut entity, &claimed, &claimed, &resolved, &mut set);
    }
    let edited = ids
        .iter()
        .map(|id| (ctx.table.entity.to_owned(), (*id).to_owned()));
    set.edited = edited.collect();
    apply::apply(ctx, conn, None, &set).await.map(drop)
}
