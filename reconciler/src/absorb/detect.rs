//! Records that their source merged into others. The vanished one becomes another name of the one that
//! survives: its children follow, what people wrote into it is carried over, its row stays marked as deleted,
//! and a later mention of its id leads to the survivor. The evidence is what its children say
//! (`staging.moves`); where they do not agree, a person is asked. A record that comes back is parted again.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, json};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::ProblemKind;
use staging::database::{query, query_as, query_scalar};

use super::absorbing::absorb;
use super::absorption::{Absorption, Remains};
use super::children::referring;
use super::restore::restore_returned;
use crate::definition::Definition;
use crate::entity_resolution::{self, Said, rekey};
use crate::history::{self, Evidence};
use crate::identities::{self, Assigned, IdentityChange, Method, RecordId};
use crate::reconcile::change_set::ChangeSet;
use crate::reconcile::context::{Ctx, Progress};
use crate::reconcile::pending::StagedRecord;

/// The problem of a vanished record that may have been merged into another.
const DOUBT: &str = "maybe_merged_at_source";

/// A table whose rows name the entity, the column, and the module that fills it.
type Link<'a> = (&'a Definition, &'a str);

/// A vanished record, and where its children went since the last reading that saw it.
#[derive(sqlx::FromRow)]
pub(super) struct Vanished {
    pub(super) source_id: String,
    pub(super) entity_id: String,
    gone_in: i64,
    hash: Vec<u8>,
    targets: Vec<String>,
    moved: i64,
}

impl Vanished {
    /// A record of which its source says itself that it is another one now.
    pub(super) fn declared(record: &StagedRecord, entity_id: &str) -> Vanished {
        Vanished {
            source_id: record.source_id.clone(),
            entity_id: entity_id.to_owned(),
            gone_in: record.pass_id,
            hash: record.hash.clone(),
            targets: Vec::new(),
            moved: 0,
        }
    }
}

/// What its children make of a vanished record.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Some have not been read since.
    Wait,
    /// It is this entity now.
    Merged(String),
    /// A person must say.
    Ask,
}

/// Takes records apart that came back, and absorbs those of which their children say that their source merged
/// them.
pub(crate) async fn detect(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    progress: &mut Progress,
) -> sqlx::Result<()> {
    restore_returned(ctx, conn, progress).await?;
    forget_old_moves(ctx, conn).await?;
    let vanished = vanished(ctx, conn).await?;
    if vanished.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = vanished.iter().map(|v| v.source_id.as_str()).collect();
    let said = entity_resolution::said(conn, ctx.definition, &ids).await?;
    let ids: Vec<&str> = vanished.iter().map(|v| v.entity_id.as_str()).collect();
    let mut children = Vec::new();
    for link in referring(ctx.definitions, ctx.definition) {
        children.push((link, still_naming(conn, link, &ids).await?));
    }
    let (mut merged, mut reports, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for vanished in vanished {
        let said = said.get(&vanished.source_id);
        match verdict(ctx, conn, &vanished, &children, said).await? {
            Verdict::Wait => settled.push(vanished.source_id),
            Verdict::Merged(into) => merged.push((vanished, into)),
            Verdict::Ask => reports.push(doubt(ctx, &vanished)),
        }
    }
    staging::report_problems(conn, ctx.run_id, &reports).await?;
    settled.extend(
        merged
            .iter()
            .map(|(vanished, _)| vanished.source_id.clone()),
    );
    let settled: Vec<&str> = settled.iter().map(String::as_str).collect();
    let over = [ProblemKind::Review];
    staging::resolve_problems(conn, ctx.definition.name(), &settled, &over, "concord").await?;
    if merged.is_empty() {
        return Ok(());
    }
    let number = match progress.promotion {
        Some(number) => number,
        None => history::open(conn).await?.number,
    };
    progress.promotion = Some(number);
    let mut counted = ChangeSet::default();
    merge_all(ctx, conn, number, &merged, &mut counted).await?;
    progress.tally.conflicts += counted.tally.conflicts;
    progress.extent.add(&counted.extent);
    Ok(())
}

/// The vanished records of the module whose children were given to others after the reading before the first
/// that missed them.
async fn vanished(ctx: &Ctx<'_>, conn: &mut PgConnection) -> sqlx::Result<Vec<Vanished>> {
    let definition = ctx.definition;
    query_as(AssertSqlSafe(format!(
        "select min(i.source_id) as source_id, f.from_id as entity_id, max(r.gone_in) as gone_in,
                (array_agg(r.hash order by i.source_id))[1] as hash,
                array_agg(distinct m.into_id) as targets, count(distinct (m.module, m.source_id)) as moved
         from (select distinct from_id from staging.moves where entity = $1) f
         cross join lateral (select from prod.\"{}\" t where t.id = f.from_id and t.deleted_at is not null offset 0) t
         cross join lateral (select i.source_id from prod.identities i
             where i.entity_id = f.from_id and i.entity = $1 and i.source = $2 and i.module = $3
               and i.valid_to is null and i.gone and i.method <> 'merged' offset 0) i
         cross join lateral (select r.gone_in, r.hash from staging.records r
             where r.source_id = i.source_id and r.module = $3 and r.gone_in is not null offset 0) r
         cross join lateral (select m.into_id, m.module, m.source_id from staging.moves m
             where m.from_id = f.from_id and m.entity = $1 and m.moved_at > coalesce((
                 select p.started_at from staging.passes p
                 where p.module = $3 and p.state = 'complete' and p.strategy = 'full' and p.pass_id <= r.gone_in
                 order by p.pass_id desc offset $4 limit 1), '-infinity') offset 0) m
         where not exists (select from prod.identities o where o.entity_id = f.from_id and o.entity = $1
             and o.valid_to is null and not o.gone)
         group by f.from_id order by 1",
        definition.entity()
    )))
    .bind(definition.entity())
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(missed_in_a_row(definition))
    .fetch_all(conn)
    .await
}

/// After how many readings in a row that miss it a record counts as vanished.
fn missed_in_a_row(definition: &Definition) -> i64 {
    match definition.module.fetch.recheck {
        Some(_) => 1,
        None => i64::from(definition.module.fetch.absences.get()),
    }
}

/// Forgets children that were given away so long before the latest readings that no record which still stands
/// can turn out to have been merged then.
async fn forget_old_moves(ctx: &Ctx<'_>, conn: &mut PgConnection) -> sqlx::Result<()> {
    let definition = ctx.definition;
    query(AssertSqlSafe(format!(
        "delete from staging.moves m
         where m.entity = $1
           and m.moved_at < (select p.started_at from staging.passes p
               where p.module = $2 and p.state = 'complete' and p.strategy = 'full' order by p.pass_id desc offset $3 limit 1)
           and exists (select from prod.\"{}\" t where t.id = m.from_id and t.deleted_at is null)",
        definition.entity()
    )))
    .bind(definition.entity())
    .bind(definition.name())
    .bind(missed_in_a_row(definition))
    .execute(conn)
    .await
    .map(drop)
}

async fn verdict(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    vanished: &Vanished,
    children: &[(Link<'_>, HashMap<String, i64>)],
    said: Option<&Said>,
) -> sqlx::Result<Verdict> {
    if let Some((entity_id, _)) = said.and_then(|said| said.is.as_ref()) {
        return Ok(Verdict::Merged(entity_id.clone()));
    }
    let refused = said.map_or(&[][..], |said| &said.is_not);
    let alive = alive(conn, ctx.definition.entity(), &vanished.targets).await?;
    let targets: Vec<&String> = alive.iter().filter(|id| !refused.contains(id)).collect();
    if targets.is_empty() {
        return Ok(Verdict::Wait);
    }
    let (mut stayed, mut waits) = (0, false);
    for (link, named) in children {
        let Some(&named) = named.get(&vanished.entity_id) else {
            continue;
        };
        match is_read_since(conn, link.0, vanished.gone_in).await? {
            true => stayed += named,
            // What is read by a filter is not read again for this, and says nothing against it.
            false => waits |= link.0.module.fetch.read == fetcher::Read::Full,
        }
    }
    Ok(judge(
        &targets,
        vanished.targets.len(),
        vanished.moved,
        stayed,
        waits,
    ))
}

/// One child alone may have been given away for itself, and so may some of several.
fn judge(targets: &[&String], all: usize, moved: i64, stayed: i64, waits: bool) -> Verdict {
    match targets {
        _ if waits => Verdict::Wait,
        [into] if all == 1 && stayed == 0 && moved > 1 => Verdict::Merged((*into).clone()),
        _ => Verdict::Ask,
    }
}

pub(super) async fn alive(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[String],
) -> sqlx::Result<Vec<String>> {
    query_scalar(AssertSqlSafe(format!(
        "select t.id from prod.\"{entity}\" t where t.id = any($1) and t.deleted_at is null order by 1"
    )))
    .bind(ids)
    .fetch_all(conn)
    .await
}

/// How many living rows of a module still name each entity: all of them in one look at the table.
async fn still_naming(
    conn: &mut PgConnection,
    (child, column): Link<'_>,
    entity_ids: &[&str],
) -> sqlx::Result<HashMap<String, i64>> {
    let entity = child.entity();
    let rows: Vec<(String, i64)> = query_as(AssertSqlSafe(format!(
        "select t.\"{column}\", count(*) from prod.\"{entity}\" t
         where t.\"{column}\" = any($1) and t.deleted_at is null
           and exists (select from prod.identities i where i.entity_id = t.id and i.entity = $2 and i.module = $3
                       and i.valid_to is null and not i.gone)
         group by 1"
    )))
    .bind(entity_ids)
    .bind(entity)
    .bind(child.name())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Whether all records of a module were read, and taken up, after the pass in which a record was found
/// missing.
async fn is_read_since(
    conn: &mut PgConnection,
    child: &Definition,
    pass_id: i64,
) -> sqlx::Result<bool> {
    let derive = child.spec.derive.as_ref();
    query_scalar(
        "select exists (select from staging.passes p join staging.passes g on g.pass_id = $2
                        where p.module = $3 and p.state = 'complete' and p.strategy = 'full'
                          and p.started_at > g.finished_at)
            and not exists (select from staging.pending where module = $1)",
    )
    .bind(child.name())
    .bind(pass_id)
    .bind(derive.map_or(child.name(), |derive| &derive.from))
    .fetch_one(conn)
    .await
}

fn doubt(ctx: &Ctx<'_>, vanished: &Vanished) -> staging::Report {
    let module = ctx.definition.name();
    let why = format!(
        "The record is gone from its source, and {} of its children went to {}; not enough to say that it was merged. Say with `concord review accept` that it is that entity, and its children and what people wrote follow; or `reject`, and it stays deleted.",
        vanished.moved,
        vanished.targets.join(" and ")
    );
    let mut report = ctx.report_of(
        ProblemKind::Review,
        &vanished.source_id,
        module,
        DOUBT,
        &why,
    );
    report.detail =
        json!({ "origin": module, "entities": vanished.targets, "moved": vanished.moved });
    report
}

/// Makes each vanished entity part of the one that survives it, as changes of promotion `number`.
pub(super) async fn merge_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    merged: &[(Vanished, String)],
    counted: &mut ChangeSet,
) -> sqlx::Result<()> {
    let absorptions: Vec<Absorption> = merged
        .iter()
        .map(|(vanished, into)| Absorption {
            from: vanished.entity_id.clone(),
            into: into.clone(),
            evidence: evidence(ctx, vanished),
            remains: Remains::Tombstone,
        })
        .collect();
    absorb(ctx, conn, number, &absorptions, counted).await?;
    rename_all(ctx, conn, number, merged).await?;
    let entities = BTreeSet::from([ctx.table.entity.to_owned()]);
    rekey(conn, ctx.definitions, number, &entities).await?;
    let from: Vec<&str> = absorptions.iter().map(|of| of.from.as_str()).collect();
    query("delete from staging.moves where from_id = any($1) and entity = $2")
        .bind(&from)
        .bind(ctx.table.entity)
        .execute(conn)
        .await
        .map(drop)
}

fn evidence(ctx: &Ctx<'_>, vanished: &Vanished) -> Evidence {
    Evidence {
        module: ctx.definition.name().to_owned(),
        source_id: vanished.source_id.clone(),
        record_hash: vanished.hash.clone(),
        pass_id: vanished.gone_in,
        page: 0,
    }
}

/// Makes the records of vanished entities other names of those that survive. They claim nothing there.
async fn rename_all(
    ctx: &Ctx<'_>,
    conn: &mut PgConnection,
    number: i64,
    merged: &[(Vanished, String)],
) -> sqlx::Result<()> {
    let ids: Vec<&str> = merged.iter().map(|(v, _)| v.entity_id.as_str()).collect();
    let mut known = identities::by_entity(conn, ctx.table.entity, &ids).await?;
    let mut changes = Vec::new();
    for (vanished, into) in merged {
        for identity in known.remove(&vanished.entity_id).unwrap_or_default() {
            let record = RecordId {
                source: identity.source,
                module: identity.module,
                source_id: identity.source_id,
            };
            // What was merged into it before keeps what is known of that.
            if identity.method == Method::Merged {
                changes.push(IdentityChange::Rename(record, into.clone()));
                continue;
            }
            let evidence = json!({ "from": identity.entity_id, "moved": vanished.moved });
            changes.push(alias(ctx, record, identity.origin, into, evidence));
        }
    }
    identities::write(conn, number, &changes).await
}

/// A record as another name of an entity.
pub(super) fn alias(
    ctx: &Ctx<'_>,
    record: RecordId,
    origin: String,
    into: &str,
    evidence: serde_json::Value,
) -> IdentityChange {
    IdentityChange::Assign(Assigned {
        record,
        origin,
        entity: ctx.table.entity.to_owned(),
        entity_id: into.to_owned(),
        method: Method::Merged,
        score: None,
        evidence,
        author: "concord".to_owned(),
        claim: Map::new(),
        kept: BTreeSet::new(),
        gone: true,
        was_known: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_decide_together_or_a_person_does() {
        let (one, other) = ("a".to_owned(), "b".to_owned());
        let merged = || Verdict::Merged("a".to_owned());
        let cases = [
            (
                "all of several went to one",
                vec![&one],
                1,
                2,
                0,
                false,
                merged(),
            ),
            ("one alone", vec![&one], 1, 1, 0, false, Verdict::Ask),
            ("some stayed", vec![&one], 1, 3, 1, false, Verdict::Ask),
            ("to two", vec![&one, &other], 2, 4, 0, false, Verdict::Ask),
            (
                "to one that lives and one that does not",
                vec![&one],
                2,
                4,
                0,
                false,
                Verdict::Ask,
            ),
            (
                "some were not read since",
                vec![&one],
                1,
                2,
                0,
                true,
                Verdict::Wait,
            ),
        ];
        for (label, targets, all, moved, stayed, waits, expected) in cases {
            assert_eq!(
                judge(&targets, all, moved, stayed, waits),
                expected,
                "{label}"
            );
        }
    }
}
