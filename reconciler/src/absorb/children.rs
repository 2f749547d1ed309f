//! Children of absorbed entities: their claims, overrides and rows name the entity that absorbed it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use crate::definition::{Definition, Definitions};
use crate::history::{Evidence, Operation};
use crate::identities::{Claiming, Identity, IdentityChange, RecordId};
use crate::overrides::OverrideChange;
use crate::reconcile::apply::apply;
use crate::reconcile::change_set::{ChangeSet, RowChange};
use crate::reconcile::context::Ctx;
use crate::reconcile::pending::StagedRecord;
use crate::reconcile::references::raw_id;
use crate::reconcile::standing::{Entity, Standing};
use crate::reconcile::transform::transform;
use crate::table_rules::TableRules;

/// Rows moved with one round of statements.
const BATCH: i64 = 1_000;

/// Where children of entities go, and the record that says so.
pub(super) type Into<'a> = BTreeMap<&'a str, (&'a str, &'a Evidence)>;

/// The rows of one table that may name an entity of another one.
struct Link<'a> {
    entity: &'a str,
    column: &'a str,
    /// The modules that fill the table and refer to the module with the column.
    modules: Vec<&'a str>,
}

/// Moves the children of absorbed entities to those that absorb them. Of a `shared` one, which stays for
/// another module's record, only this module's children go.
pub(super) async fn move_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    into: &Into<'_>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    for link in links(ctx) {
        move_children(ctx, conn, number, &link, into, shared).await?;
    }
    Ok(())
}

fn links<'a>(ctx: &Ctx<'a>) -> Vec<Link<'a>> {
    let mut links: Vec<Link<'a>> = Vec::new();
    for child in ctx.definitions.parents_first() {
        for (column, reference) in &child.spec.references {
            let parent = ctx.definitions.get(&reference.to);
            if parent.is_none_or(|parent| parent.entity() != ctx.table.entity) {
                continue;
            }
            let is_of =
                |link: &&mut Link<'_>| link.entity == child.entity() && link.column == column;
            let place = match links.iter_mut().find(is_of) {
                Some(link) => link,
                None => {
                    links.push(Link {
                        entity: child.entity(),
                        column,
                        modules: Vec::new(),
                    });
                    let last = links.len() - 1;
                    &mut links[last]
                }
            };
            if reference.to == ctx.definition.name() {
                place.modules.push(child.name());
            }
        }
    }
    links
}

async fn move_children(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    link: &Link<'_>,
    into: &Into<'_>,
    shared: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let Link {
        entity,
        column,
        modules,
    } = link;
    let table = TableRules::of(ctx.definitions, entity);
    let all: Vec<&str> = into.keys().copied().collect();
    let whole = into.keys().copied();
    let whole: Vec<&str> = whole.filter(|id| !shared.contains(*id)).collect();
    let mut after = String::new();
    loop {
        let ids: Vec<String> = query_scalar(AssertSqlSafe(format!(
            "select id from (
                 select t.id from prod.\"{entity}\" t where t.\"{column}\" = any($3)
                 union
                 select i.entity_id from prod.identities i
                 where i.entity = $4 and i.module = any($5) and i.valid_to is null and i.claim ->> $6 = any($2)) c
             where id > $1 order by id limit $7"
        )))
        .bind(&after)
        .bind(&all)
        .bind(&whole)
        .bind(entity)
        .bind(modules)
        .bind(column)
        .bind(BATCH)
        .fetch_all(&mut *conn)
        .await?;
        let Some(last) = ids.last() else {
            return Ok(());
        };
        after.clone_from(last);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let of_table = Ctx {
            table: &table,
            ..*ctx
        };
        let mut standing = Standing::read(conn, entity, &ids, true).await?;
        let mut set = ChangeSet::default();
        for id in ids {
            let child = standing.take(&of_table, id, &mut set);
            redirect(&of_table, link, child, into, shared, &mut set);
        }
        apply(&of_table, conn, Some(number), &set).await?;
    }
}

/// Lets one child name the absorbing entity: in its claims, its overrides and its row.
fn redirect(
    ctx: &Ctx<'_>,
    link: &Link<'_>,
    child: Entity,
    into: &Into<'_>,
    shared: &BTreeSet<String>,
    set: &mut ChangeSet,
) {
    let column = link.column;
    let target = |value: Option<&Value>| into.get(value?.as_str()?).copied();
    let is_own = |identity: &Identity| link.modules.contains(&identity.module.as_str());
    let is_ours = child.identities.iter().any(is_own);
    let mut moved = None;
    for identity in &child.identities {
        let Some((to, evidence)) = target(identity.claim.get(column)) else {
            continue;
        };
        let from = identity.claim.get(column).and_then(Value::as_str);
        if from.is_some_and(|from| shared.contains(from)) && !is_own(identity) {
            continue;
        }
        moved = Some((to, evidence));
        let mut claim = identity.claim.clone();
        claim.insert(column.to_owned(), to.into());
        set.identities.push(IdentityChange::Claim(Claiming {
            record: RecordId {
                source: identity.source.clone(),
                module: identity.module.clone(),
                source_id: identity.source_id.clone(),
            },
            claim,
            kept: identity.kept.clone(),
            evidence: None,
            gone: identity.gone,
        }));
    }
    for of in child.overrides.iter().filter(|set| set.cell == column) {
        let (value, against) = (target(Some(&of.value)), target(of.against.as_ref()));
        if value.is_none() && against.is_none() {
            continue;
        }
        let mut changed = of.clone();
        if let Some((to, _)) = value {
            changed.value = to.into();
        }
        if let Some((to, _)) = against {
            changed.against = Some(to.into());
        }
        set.overrides.push(OverrideChange {
            entity: link.entity.to_owned(),
            entity_id: child.id.clone(),
            set: changed,
            is_new: true,
        });
    }
    let Some(row) = &child.row else { return };
    let stands = row.column(column);
    let is_shared = stands.as_str().is_some_and(|from| shared.contains(from));
    let Some((to, evidence)) = target(Some(stands)).filter(|_| !is_shared || is_ours) else {
        return;
    };
    let (to, evidence) = moved.unwrap_or((to, evidence));
    let mut image = row.clone();
    image.0.insert(column.to_owned(), to.into());
    image.touch(ctx.now);
    set.rows.push(RowChange {
        entity: link.entity.to_owned(),
        entity_id: child.id,
        before: child.row,
        after: Some(image),
        operation: Operation::Update,
        evidence: Some(evidence.clone()),
    });
}

/// Moves the children of an entity that name one record of it, by the id that its source gives it.
pub(super) async fn move_named(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    source_id: &str,
    (from, to): (&str, &str),
) -> sqlx::Result<()> {
    let evidence = Evidence {
        module: ctx.definition.name().to_owned(),
        source_id: source_id.to_owned(),
        record_hash: Vec::new(),
        pass_id: 0,
        page: 0,
    };
    let into: Into<'_> = [(from, (to, &evidence))].into();
    for (child, column) in referring(ctx.definitions, ctx.definition) {
        let link = Link {
            entity: child.entity(),
            column,
            modules: vec![child.name()],
        };
        let table = TableRules::of(ctx.definitions, link.entity);
        let of_table = Ctx {
            table: &table,
            ..*ctx
        };
        let ids = naming(conn, child, column, from, source_id).await?;
        for ids in ids.chunks(BATCH as usize) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut standing = Standing::read(conn, link.entity, &ids, true).await?;
            let mut set = ChangeSet::default();
            for id in ids {
                let row = standing.take(&of_table, id, &mut set);
                redirect(&of_table, &link, row, &into, &BTreeSet::new(), &mut set);
            }
            for row in &mut set.rows {
                row.evidence = None;
            }
            apply(&of_table, conn, Some(number), &set).await?;
        }
    }
    Ok(())
}

/// The entities of a module whose records name a record of another one, and that entity with it.
async fn naming(
    conn: &mut PgConnection,
    child: &Definition,
    column: &str,
    entity_id: &str,
    source_id: &str,
) -> sqlx::Result<Vec<String>> {
    let claims: Vec<(String, StagedRecord)> = query_as::<NamedBy>(
        "select i.entity_id, r.source_id, r.module as origin, r.payload::text as payload, r.raw,
                r.gone_in is not null as gone, r.hash, r.pass_id, r.page
         from prod.identities i
         join staging.records r on r.module = i.origin and r.source_id = i.source_id
         where i.entity = $1 and i.module = $2 and i.valid_to is null and i.claim ->> $3 = $4 order by 1",
    )
    .bind(child.entity())
    .bind(child.name())
    .bind(column)
    .bind(entity_id)
    .fetch_all(conn)
    .await?
    .into_iter()
    .map(|named| (named.entity_id, named.record))
    .collect();
    let names = |record: &StagedRecord| match transform(child, record) {
        Ok(Some(row)) => raw_id(&row.row, column).as_deref() == Some(source_id),
        _ => false,
    };
    let mut ids: Vec<String> = claims
        .into_iter()
        .filter(|(_, record)| names(record))
        .map(|(entity_id, _)| entity_id)
        .collect();
    ids.dedup();
    Ok(ids)
}

#[derive(sqlx::FromRow)]
struct NamedBy {
    entity_id: String,
    #[sqlx(flatten)]
    record: StagedRecord,
}

/// The modules and columns by which entities of a module are named.
pub(super) fn referring<'d>(
    definitions: &'d Definitions,
    parent: &'d Definition,
) -> Vec<(&'d Definition, &'d str)> {
    let mut links = Vec::new();
    for child in definitions.parents_first() {
        for (column, reference) in &child.spec.references {
            if reference.to == parent.name() {
                links.push((child, column.as_str()));
            }
        }
    }
    links
}
