//! Records that were taken for merged by their source and are not: they are entities of their own again.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::children::referring;
use crate::definition::Definition;
use crate::entity_resolution::rekey;
use crate::history::{self, Operation};
use crate::identities::{self, Assigned, IdentityChange, Method, RecordId};
use crate::image::read_rows;
use crate::overrides::{self, OverrideChange, State};
use crate::reconcile::apply::{apply, write_rows};
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::{Ctx, Progress};
use crate::reconcile::settle::{Outcome, settle_row};
use crate::reconcile::standing::Standing;
use crate::resolve::Claimed;

/// Rows taken with one round of statements.
const BATCH: usize = 1_000;

/// A record that is another name of an entity since a promotion.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Alias {
    pub(super) source_id: String,
    pub(super) origin: String,
    /// The entity that it was.
    pub(super) from: String,
    /// The entity that it was merged into.
    pub(super) into: String,
    promotion: i64,
}

const ALIASES: &str =
    "select i.source_id, i.origin, i.evidence ->> 'from' as \"from\", i.entity_id as \"into\", i.promotion
     from prod.identities i
     where i.module = $2 and i.source = $1 and i.method = 'merged' and i.valid_to is null";

/// The alias that a record is, if it is one.
pub(super) async fn alias_of(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<Alias>> {
    query_as(AssertSqlSafe(format!("{ALIASES} and i.source_id = $3")))
        .bind(&definition.module.source)
        .bind(definition.name())
        .bind(source_id)
        .fetch_optional(conn)
        .await
}

/// Restores the records that their source shows again: it merged them for a while, or never did.
pub(super) async fn restore_returned(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
) -> sqlx::Result<()> {
    let definition = ctx.definition;
    let back: Vec<Alias> = query_as(AssertSqlSafe(format!(
        "{ALIASES} and exists (select from staging.records r
             where r.source_id = i.source_id and r.module = $2 and r.gone_in is null)
         order by i.source_id"
    )))
    .bind(&definition.module.source)
    .bind(definition.name())
    .fetch_all(&mut *conn)
    .await?;
    for alias in taken_back(conn, definition, back).await? {
        let number = match progress.promotion {
            Some(number) => number,
            None => history::open(conn).await?.number,
        };
        progress.promotion = Some(number);
        restore(ctx, conn, number, &alias).await?;
    }
    Ok(())
}

/// Makes a record again the entity that it was before promotion `alias.promotion`: what was carried from its
/// row leaves the other one, rows that others wrote lead to it again, and its children are taken up by their
/// modules' next runs, each as its source says. Its own row stays marked as deleted until the record comes.
pub(super) async fn restore(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    alias: &Alias,
) -> sqlx::Result<()> {
    give_back_overrides(ctx, conn, number, alias).await?;
    let record = RecordId {
        source: ctx.definition.module.source.clone(),
        module: ctx.definition.name().to_owned(),
        source_id: alias.source_id.clone(),
    };
    let before = identities::previous_claim(conn, ctx.definition, &alias.source_id)
        .await?
        .unwrap_or_default();
    let own = IdentityChange::Assign(Assigned {
        record,
        origin: alias.origin.clone(),
        entity: ctx.table.entity.to_owned(),
        entity_id: alias.from.clone(),
        method: Method::Unmerged,
        score: None,
        evidence: json!({ "from": alias.into }),
        author: ctx.actor.to_owned(),
        claim: before.claim,
        kept: before.kept,
        gone: true,
        was_known: true,
    });
    identities::write(conn, number, &[own]).await?;
    for (child, column) in referring(ctx.definitions, ctx.definition) {
        give_back(ctx, conn, number, child, column, alias).await?;
    }
    let entities = std::iter::once(ctx.table.entity.to_owned()).collect();
    rekey(conn, ctx.definitions, number, &entities).await
}

/// The overrides that went over with the merge belong to the record's own row again.
async fn give_back_overrides(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    alias: &Alias,
) -> sqlx::Result<()> {
    let mut set = ChangeSet::default();
    let mut standing = Standing::read(conn, ctx.table.entity, &[alias.into.as_str()], true).await?;
    let mut into = standing.take(ctx, &alias.into, &mut set);
    let claimed = Claimed::of(ctx.table, &into.claims());
    let replaced =
        overrides::replaced_by_carried(conn, ctx.table.entity, &alias.into, &alias.from).await?;
    into.overrides.retain(|of| {
        let is_carried = of.carried_from.as_deref() == Some(alias.from.as_str());
        if is_carried {
            let mut released = of.clone();
            released.state = State::Released;
            set.overrides
                .push(change(ctx, &alias.into, released, false));
        }
        !is_carried
    });
    for mut of in replaced {
        of.state = State::Holds;
        into.overrides.retain(|other| other.cell != of.cell);
        into.overrides.push(of.clone());
        set.overrides.push(change(ctx, &alias.into, of, true));
    }
    let own = overrides::released_in(conn, ctx.table.entity, &alias.from, alias.promotion).await?;
    let returned = own.into_iter().map(|mut of| {
        of.state = State::Holds;
        change(ctx, &alias.from, of, true)
    });
    set.overrides.extend(returned);
    let claims = into.claims();
    let (outcome, _) = settle_row(ctx, &mut into, &claimed, &claims, &mut set);
    if let Some(Outcome {
        image, operation, ..
    }) = outcome
    {
        set.rows.push(RowChange {
            entity: ctx.table.entity.to_owned(),
            entity_id: alias.into.clone(),
            before: into.row,
            after: image,
            operation,
            evidence: None,
        });
    }
    apply(ctx, conn, Some(number), &set).await.map(drop)
}

fn change(
    ctx: &Ctx<'_>,
    entity_id: &str,
    set: overrides::Override,
    is_new: bool,
) -> OverrideChange {
    OverrideChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: entity_id.to_owned(),
        set,
        is_new,
    }
}

/// The children that the merge moved: those with a record are taken up again, the others lead back at once.
async fn give_back(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    child: &Definition,
    column: &str,
    alias: &Alias,
) -> sqlx::Result<()> {
    let entity = child.entity();
    let moved: Vec<String> = query_scalar(
        "select c.entity_id from history.changes c
         cross join lateral (select history.image(c.entity, c.entity_id, c.before) as image offset 0) b
         cross join lateral (select history.image(c.entity, c.entity_id, c.after) as image offset 0) a
         where c.number = $1 and c.entity = $2 and c.part = 1 and b.image ->> $3 = $4
           and a.image ->> $3 is distinct from $4 order by 1",
    )
    .bind(alias.promotion)
    .bind(entity)
    .bind(column)
    .bind(&alias.from)
    .fetch_all(&mut *conn)
    .await?;
    for moved in moved.chunks(BATCH) {
        let ids: Vec<&str> = moved.iter().map(String::as_str).collect();
        let with_records = enqueue_children(conn, child, &ids).await?;
        let mut rows = Vec::new();
        for (entity_id, row) in read_rows(conn, entity, &ids, true).await? {
            let named = row.column(column).as_str();
            if with_records.contains(&entity_id) || named != Some(&alias.into) {
                continue;
            }
            let mut image = row.clone();
            image.0.insert(column.to_owned(), alias.from.clone().into());
            image.touch(ctx.now);
            rows.push(RowChange {
                entity: entity.to_owned(),
                entity_id,
                before: Some(row),
                after: Some(image),
                operation: Operation::Update,
                evidence: None,
            });
        }
        write_rows(conn, number, &rows).await?;
    }
    Ok(())
}

/// Makes the records of child rows pending, so that their module reads again whom they name; returns the rows
/// that have one.
async fn enqueue_children(
    conn: &mut PgConnection,
    child: &Definition,
    ids: &[&str],
) -> sqlx::Result<Vec<String>> {
    query_scalar(
        "with known as (
             select c.id, i.source_id, i.origin from unnest($2::text[]) as c(id)
             cross join lateral (select i.source_id, i.origin from prod.identities i where i.entity_id = c.id
                 and i.entity = $1 and i.module = $3 and i.valid_to is null offset 0) i),
         queued as (
             insert into staging.pending (module, source_id, origin)
             select $3, k.source_id, r.module from known k
             cross join lateral (select r.module from staging.records r
                 where r.source_id = k.source_id and r.module = k.origin offset 0) r
             on conflict do nothing)
         select c.id from unnest($2::text[]) as c(id) where exists (select from prod.identities i
             where i.entity_id = c.id and i.entity = $1 and i.valid_to is null)",
    )
    .bind(child.entity())
    .bind(ids)
    .bind(child.name())
    .fetch_all(conn)
    .await
}

/// Of records that are other names and that their source shows, those of which it does not say any more that
/// they are.
async fn taken_back(
    conn: &mut PgConnection,
    definition: &Definition,
    shown: Vec<Alias>,
) -> sqlx::Result<Vec<Alias>> {
    if definition.spec.merged_into.is_none() || shown.is_empty() {
        return Ok(shown);
    }
    let ids: Vec<&str> = shown.iter().map(|alias| alias.source_id.as_str()).collect();
    let payloads: Vec<(String, String)> = query_as(
        "select source_id, payload::text from staging.records
         where module = $1 and source_id = any($2) and payload is not null",
    )
    .bind(definition.name())
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    let says = |(id, payload): &(String, String)| match definition.merged_into(payload) {
        Ok(Some(into)) => into != *id,
        // What cannot be read takes nothing back.
        result => result.is_err(),
    };
    let still: Vec<&str> = payloads
        .iter()
        .filter(|payload| says(payload))
        .map(|(id, _)| id.as_str())
        .collect();
    let is_still = |alias: &Alias| still.contains(&alias.source_id.as_str());
    Ok(shown.into_iter().filter(|alias| !is_still(alias)).collect())
}
