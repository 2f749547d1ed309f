//! A record taken out of an entity: it becomes one of its own, and stays so.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use staging::database::{query, query_scalar};

use super::children::move_named;
use super::restore::{alias_of, restore};
use crate::Row;
use crate::definition::{Definition, Definitions};
use crate::entity_resolution::{self, Word, rekey};
use crate::history::{self, Operation, Promotion, PromotionKind, Sealed};
use crate::identities::{self, Assigned, Identity, IdentityChange, Method, RecordId};
use crate::image::Image;
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::Ctx;
use crate::reconcile::settle::{Outcome, settle_row};
use crate::reconcile::standing::Standing;
use crate::resolve::{Claimed, resolve};
use crate::table_rules::TableRules;

/// Why a record cannot be taken out of its entity.
#[derive(Debug, thiserror::Error)]
pub enum UnmergeError {
    /// There is nothing to take apart.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error("the record was not taken out: the database refused; nothing was changed")]
    Sql(#[from] sqlx::Error),
}

/// What was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmerged {
    /// The entity that the record was.
    pub from: String,
    /// The entity that it is now.
    pub into: String,
    /// The promotion that did it.
    pub sealed: Sealed,
}

/// Makes a record the entity of its own that it would have been: what it brought to the entity it leaves goes
/// with it, and a negative link keeps the two apart. One promotion, which a rollback undoes; the caller
/// commits.
pub async fn unmerge(
    conn: &mut PgConnection,
    definitions: &Definitions,
    definition: &Definition,
    source_id: &str,
    author: &str,
    reason: &str,
) -> Result<Unmerged, UnmergeError> {
    history::write_as_engine(conn).await?;
    query("set constraints all deferred")
        .execute(&mut *conn)
        .await?;
    let number = history::open(conn).await?.number;
    let now: Value = query_scalar("select to_jsonb(now())")
        .fetch_one(&mut *conn)
        .await?;
    let table = TableRules::of(definitions, definition.entity());
    let ctx = Ctx {
        definitions,
        definition,
        table: &table,
        run_id: 0,
        actor: author,
        now: &now,
        replays: false,
        stands_alone: false,
        caution: None,
    };
    let (from, into) = match alias_of(conn, definition, source_id).await? {
        Some(alias) => {
            restore(&ctx, conn, number, &alias).await?;
            (alias.into, alias.from)
        }
        None => take_out(&ctx, conn, number, source_id, reason).await?,
    };
    let word = Word {
        source_id,
        entity_id: &from,
        is_same: false,
        author,
        reason,
    };
    entity_resolution::say(conn, definition, word).await?;
    let promotion = Promotion {
        kind: PromotionKind::Unmerge,
        module: Some(definition.name().to_owned()),
        run_id: None,
        target: None,
        actor: author.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = history::seal(conn, number, &promotion).await?;
    Ok(Unmerged { from, into, sealed })
}

/// Gives a record that joined an entity a row of its own; the entity becomes what the others say. Answers
/// both entities. Children that name the record come with it.
async fn take_out(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    source_id: &str,
    reason: &str,
) -> Result<(String, String), UnmergeError> {
    let joined = joined(conn, ctx.definition, source_id).await?;
    let from = joined.entity_id.clone();
    let into = own_id(ctx, conn, source_id).await?;
    let mut set = ChangeSet::default();
    set.rows.push(own_row(ctx, &joined, &into)?);
    let mut standing = Standing::read(conn, ctx.table.entity, &[from.as_str()], true).await?;
    let mut left = standing.take(ctx, &from, &mut set);
    let claimed = Claimed::of(ctx.table, &left.claims());
    left.identities.retain(|identity| *identity != joined);
    let claims = left.claims();
    let (outcome, _) = settle_row(ctx, &mut left, &claimed, &claims, &mut set);
    if let Some(Outcome {
        image, operation, ..
    }) = outcome
    {
        set.rows.push(RowChange {
            entity: ctx.table.entity.to_owned(),
            entity_id: from.clone(),
            before: left.row,
            after: image,
            operation,
            evidence: None,
        });
    }
    set.identities.push(IdentityChange::Assign(Assigned {
        record: RecordId {
            source: joined.source,
            module: joined.module,
            source_id: joined.source_id,
        },
        origin: joined.origin,
        entity: ctx.table.entity.to_owned(),
        entity_id: into.clone(),
        method: Method::Unmerged,
        score: None,
        evidence: json!({ "from": from, "reason": reason }),
        author: ctx.actor.to_owned(),
        claim: joined.claim,
        kept: joined.kept,
        gone: joined.gone,
        was_known: true,
    }));
    apply(ctx, conn, Some(number), &set).await?;
    move_named(ctx, conn, number, source_id, (from.as_str(), into.as_str())).await?;
    let entities = BTreeSet::from([ctx.table.entity.to_owned()]);
    rekey(conn, ctx.definitions, number, &entities).await?;
    Ok((from, into))
}

async fn joined(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> Result<Identity, UnmergeError> {
    let name = format!("{}/{source_id}", definition.name());
    let found = identities::by_record(conn, definition, &[source_id]).await?;
    let Some(joined) = found.into_values().next() else {
        return Err(UnmergeError::Refused(format!(
            "{name} is no entity yet, so there is nothing to take apart."
        )));
    };
    if !joined.method.joined() && joined.method != Method::SourceId {
        return Err(UnmergeError::Refused(format!(
            "{name} joined nobody: it is the record that {} was made of. Take the records that joined it out of it instead; `concord show` lists them.",
            joined.entity_id
        )));
    }
    Ok(joined)
}

/// The id of the row that will be the record's own: the one it had before it joined, else its own, else the
/// source's.
async fn own_id(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    source_id: &str,
) -> Result<String, UnmergeError> {
    let source = &ctx.definition.module.source;
    let ids = [
        source_id.to_owned(),
        format!("{source}:{source_id}"),
        format!("{source}:{}:{source_id}", ctx.definition.name()),
    ];
    let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
    let taken = identities::taken_ids(conn, ctx.table.entity, &asked).await?;
    let free = ids.iter().find(|id| taken.is_free(id)).cloned();
    free.ok_or_else(|| {
        UnmergeError::Refused(format!(
            "Rows of the ids {} stand already, so the record has no id of its own to bear.",
            ids.join(", ")
        ))
    })
}

/// The row that the record's claim alone comes to.
fn own_row(ctx: &Ctx<'_>, joined: &Identity, into: &str) -> Result<RowChange, UnmergeError> {
    let claims: Vec<_> = joined.to_claim().into_iter().collect();
    let claimed = Claimed::of(ctx.table, &claims);
    let columns: Map<String, Value> = resolve(ctx.table, &claimed, &[]).columns;
    let mut judged = columns.clone();
    judged.retain(|column, _| ctx.definition.contract.column(column).is_some());
    judged.insert("id".into(), into.into());
    ctx.definition
        .contract
        .check(&Row(judged))
        .map_err(|rejection| {
            UnmergeError::Refused(format!(
                "The record alone is no row that the contract admits: {}",
                rejection.why
            ))
        })?;
    Ok(RowChange {
        entity: ctx.table.entity.to_owned(),
        entity_id: into.to_owned(),
        before: None,
        after: Some(Image::inserted(into, columns, ctx.now)),
        operation: Operation::Insert,
        evidence: None,
    })
}
