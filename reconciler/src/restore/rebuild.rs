//! Filling a table again that was dropped, emptied or made anew by hand.

use std::collections::HashMap;

use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::context::{context, entity_ids, now};
use super::upgrade::find_overrides;
use crate::contract::{Contract, ContractError, EvolveError, evolve};
use crate::definition::Definitions;
use crate::entity_resolution::rekey;
use crate::history::{self, Operation, Promotion, PromotionKind, Sealed};
use crate::image::Image;
use crate::overrides::{Authors, OverrideChange, edits};
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::Ctx;
use crate::reconcile::settle::settle_row;
use crate::reconcile::standing::{Entity, Standing};
use crate::resolve::Claimed;
use crate::table_rules::{TableRules, modules_of};
use crate::tables::{LostTable, link_all, lost_table, watch};

/// Rows written with one round of statements.
const BATCH: i64 = 1_000;

/// Why a table was not filled again.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// No module fills it.
    #[error("{0}")]
    Refused(String),
    /// Two contracts of one table contradict each other.
    #[error("two contracts describe one table differently: {0}")]
    Union(#[from] ContractError),
    /// What stands there now cannot become the table.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// The database.
    #[error("nothing was rebuilt: the database refused")]
    Sql(#[from] sqlx::Error),
}

/// A table that was filled again.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// The promotion that did it; `None` where every row stood as it should.
    pub sealed: Option<Sealed>,
}

/// Makes a table where it is not there, and brings every row to what its claims and overrides come to, by a
/// promotion. Rows keep their audit columns where the history still has them; rows that people added come
/// back where the database saw them go. The caller commits.
pub async fn rebuild(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
    actor: &str,
    reason: &str,
) -> Result<Rebuilt, RebuildError> {
    let contracts: Vec<Contract> = modules_of(definitions, entity)
        .map(|definition| definition.contract.clone())
        .collect();
    if contracts.is_empty() {
        return Err(RebuildError::Refused(format!(
            "No module fills a table `{entity}`; `concord module list` names them."
        )));
    }
    let number = history::open(conn).await?.number;
    let lost = lost_table(conn, definitions, entity).await?;
    query("set constraints all deferred")
        .execute(&mut *conn)
        .await?;
    evolve(conn, "prod", &Contract::union(&contracts)?).await?;
    watch(conn, entity).await?;
    link_all(conn, definitions).await?;
    let (table, now) = (TableRules::of(definitions, entity), now(conn).await?);
    let Some(ctx) = context(definitions, &table, actor, &now) else {
        return Ok(Rebuilt { sealed: None });
    };
    fill(&ctx, conn, number, lost.as_ref()).await?;
    put_back_rows_of_people(&ctx, conn).await?;
    Authors::take_all(conn, entity).await?;
    let written: bool =
        query_scalar("select exists (select from history.changes where number = $1)")
            .bind(number)
            .fetch_one(&mut *conn)
            .await?;
    if !written {
        return Ok(Rebuilt { sealed: None });
    }
    let entities = std::iter::once(entity.to_owned()).collect();
    rekey(conn, definitions, number, &entities).await?;
    wake_all(conn, definitions, entity).await?;
    let promotion = Promotion {
        kind: PromotionKind::Rebuild,
        module: None,
        run_id: None,
        target: None,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = history::seal(conn, number, &promotion).await?;
    Ok(Rebuilt {
        sealed: Some(sealed),
    })
}

/// Accepts what was done to a table: rows that were deleted stay out of it, each by an override of the person
/// who did it. The caller commits.
pub async fn accept_table(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<()> {
    history::write_as_engine(conn).await?;
    find_overrides(conn, definitions, entity).await
}

async fn fill(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    lost: Option<&LostTable>,
) -> sqlx::Result<()> {
    let entity = ctx.table.entity;
    let mut after = String::new();
    loop {
        let ids = entity_ids(conn, entity, &after, BATCH).await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let last_images = last_images(conn, entity, &ids).await?;
        let mut standing = Standing::read(conn, entity, &ids, true).await?;
        let authors = Authors::of(conn, entity, &ids).await?;
        let mut set = ChangeSet::default();
        for id in ids {
            let row = standing.take_as_is(id);
            // What a row that is there shows of itself, but for columns that are not those they were.
            let shown = row.row.clone().map(|row| without_lost(row, lost));
            let known = match (lost, shown) {
                // A row of another table shows nothing.
                (Some(LostTable::Remade), Some(_)) => None,
                (_, shown) => shown.or_else(|| last_images.get(id).cloned()),
            };
            bring_back(ctx, row, known.as_ref(), &authors, &mut set);
        }
        apply(ctx, conn, Some(number), &set).await?;
    }
}

/// A row as it stands, without the columns that were dropped or made anew since the engine wrote them.
fn without_lost(mut row: Image, lost: Option<&LostTable>) -> Image {
    if let Some(LostTable::Columns { columns }) = lost {
        row.0.retain(|column, _| !columns.contains(column));
    }
    row
}

/// Brings one row to what it resolves to, edits by hand in its last known image taken up first.
fn bring_back(
    ctx: &Ctx<'_>,
    mut row: Entity,
    last: Option<&Image>,
    authors: &Authors,
    set: &mut ChangeSet,
) {
    let claims = row.claims();
    let claimed = Claimed::of(ctx.table, &claims);
    if let Some(last) = last {
        let mut known = last.clone();
        // What a table lost since has no say in what was written by hand.
        known
            .0
            .retain(|column, _| ctx.table.columns.contains(column) || column == "deleted_at");
        let edited = edits(
            ctx.table,
            &row.id,
            &claimed,
            &mut row.overrides,
            Some(&known.0),
            authors,
            false,
        );
        set.overrides
            .extend(edited.into_iter().map(|edit| OverrideChange {
                entity: ctx.table.entity.to_owned(),
                entity_id: row.id.clone(),
                set: edit,
                is_new: true,
            }));
    }
    let was_there = row.row.clone();
    if row.row.is_none() {
        // A row that was there is there again as it was, not as a new one.
        row.row = last.cloned();
    }
    let (outcome, _) = settle_row(ctx, &mut row, &claimed, &claims, set);
    let after = match (&was_there, outcome) {
        (_, Some(outcome)) => outcome.image,
        (None, None) => row.row,
        (Some(_), None) => return,
    };
    let Some(after) = after else { return };
    set.rows.push(RowChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: row.id,
        operation: match was_there {
            None => Operation::Insert,
            Some(_) => Operation::Update,
        },
        before: was_there,
        after: Some(after),
        evidence: None,
    });
}

/// The last images that are known of rows: what somebody replaced or deleted last, else what the ledger
/// knows.
async fn last_images(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Image>> {
    let rows: Vec<(String, Json<Image>)> = query_as(
        "select q.id, coalesce(e.image, history.image($1, q.id, c.after)) from unnest($2::text[]) q (id)
         left join lateral (
             select o.image from history.edits e join history.objects o on o.hash = e.before
             where e.entity = $1 and e.entity_id = q.id and not e.taken and e.operation in ('delete', 'truncate')
             order by e.edit_id desc limit 1) e on true
         left join lateral (
             select c.after from history.changes c where c.entity_id = q.id and c.entity = $1
             order by c.number desc, c.part desc limit 1) c on true
         where coalesce(e.image, history.image($1, q.id, c.after)) is not null",
    )
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, image)| (id, image.0)).collect())
}

/// Puts rows back that no record made, as the database saw them go.
async fn put_back_rows_of_people(ctx: &Ctx<'_>, conn: &mut PgConnection) -> sqlx::Result<()> {
    let entity = ctx.table.entity;
    let columns: Vec<String> = query_scalar(
        "select quote_ident(attname) from pg_attribute
         where attrelid = to_regclass(format('prod.%I', $1::text)) and attnum > 0 and not attisdropped
           and attgenerated = '' order by attnum",
    )
    .bind(entity)
    .fetch_all(&mut *conn)
    .await?;
    let list = columns.join(", ");
    query(AssertSqlSafe(format!(
        "insert into prod.\"{entity}\" ({list})
         select {list} from (
             select distinct on (e.entity_id) o.image from history.edits e join history.objects o on o.hash = e.before
             where e.entity = $1 and not e.taken and e.operation in ('delete', 'truncate')
               and not exists (select from prod.identities i
                               where i.entity_id = e.entity_id and i.entity = $1 and i.valid_to is null)
             order by e.entity_id, e.edit_id desc) gone
         cross join lateral jsonb_populate_record(null::prod.\"{entity}\", gone.image) r
         on conflict (id) do nothing"
    )))
    .bind(entity)
    .execute(conn)
    .await
    .map(drop)
}

/// Makes pending again what waited for a parent of this table.
async fn wake_all(
    conn: &mut PgConnection,
    definitions: &Definitions,
    entity: &str,
) -> sqlx::Result<()> {
    let modules: Vec<&str> = modules_of(definitions, entity)
        .map(|of| of.name())
        .collect();
    query(
        "insert into staging.pending (module, source_id, origin)
         select distinct p.module, p.source_id, coalesce(p.detail ->> 'origin', p.module) from ops.problems p
         where p.state = 'open' and p.kind = 'parking' and p.waits_module = any($1) on conflict do nothing",
    )
    .bind(modules)
    .execute(conn)
    .await
    .map(drop)
}
