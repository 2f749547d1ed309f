//! Records of which their source says itself, with a field that the module names (`merged_into`), into which other one it merged
//! them. They are not waited for to vanish, and no child is asked: the record becomes another name of that one at once.

use sqlx::PgConnection;
use staging::database::{query, query_as, query_scalar};
use staging::{ProblemKind, Report};

use super::Work;
use super::claim::Claim;
use super::merging::{self, Vanished};
use super::outcome::{self, Outcome};
use super::parting::Alias;
use super::wave::quarantine;
use super::write;
use crate::cores::on_every_core;
use crate::definition::Definition;
use crate::identities::{self, Identity};

/// A record, and the id of the one that it is now.
pub(super) struct Announced<'c> {
    claim: &'c Claim,
    into: String,
}

/// Takes the records apart that their source says it merged into others.
pub(super) fn apart<'c>(
    work: &Work<'_>,
    present: Vec<&'c Claim>,
    outcome: &mut Outcome,
) -> (Vec<&'c Claim>, Vec<Announced<'c>>) {
    let definition = work.definition;
    if definition.spec.merged_into.is_none() {
        return (present, Vec::new());
    }
    let said = on_every_core(&present, |claim| match claim.origin == definition.name() {
        true => definition.merged_into(claim.text()?),
        false => Ok(None),
    });
    let (mut rest, mut announced) = (Vec::new(), Vec::new());
    for (claim, said) in present.into_iter().zip(said) {
        match said {
            Ok(Some(into)) if into != claim.source_id => announced.push(Announced { claim, into }),
            Ok(_) => rest.push(claim),
            Err(rejection) => outcome.quarantined(quarantine(work, claim, rejection)),
        }
    }
    (rest, announced)
}

/// Settles them one after the other, since one may be merged into another of them; seldom many. One whose other record has not come
/// yet waits for it.
pub(super) async fn settle(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    announced: &[Announced<'_>],
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    for Announced { claim, into } in announced {
        let mut one = Outcome::default();
        let ids = [claim.source_id.as_str(), into];
        let mut known = identities::known(conn, work.definition, &ids).await?;
        let own = known.remove(&claim.source_id);
        let target = known.remove(into).filter(|target| !target.placeholder);
        let target = match target {
            Some(target) if lives(conn, work.definition, &target.entity_id).await? => {
                target.entity_id
            }
            _ => {
                wait(work, claim, into, &mut one);
                write::apply(work, conn, &mut one).await?;
                add(outcome, &one);
                continue;
            }
        };
        match own {
            Some(own) if own.entity_id == target => one.same(&claim.source_id),
            Some(own) if !own.merged => {
                write::tombstones(work, conn, &[claim], &mut one).await?;
                merge(work, conn, claim, &own, target, &mut one).await?;
            }
            _ => {
                rename(work, conn, claim, &target).await?;
                one.same(&claim.source_id);
            }
        }
        write::apply(work, conn, &mut one).await?;
        add(outcome, &one);
    }
    Ok(())
}

fn add(outcome: &mut Outcome, one: &Outcome) {
    outcome::add(&mut outcome.tally, &one.tally);
    outcome.extent.deleted += one.extent.deleted;
    outcome.extent.changed += one.extent.changed;
    outcome.parked.extend(one.parked.iter().cloned());
}

async fn lives(
    conn: &mut PgConnection,
    definition: &Definition,
    entity_id: &str,
) -> sqlx::Result<bool> {
    let found = merging::alive(conn, definition.entity(), &[entity_id.to_owned()]).await?;
    Ok(!found.is_empty())
}

fn wait(work: &Work<'_>, claim: &Claim, into: &str, outcome: &mut Outcome) {
    let module = work.definition.name().to_owned();
    outcome.tally.parked += 1;
    outcome.parked.push(claim.source_id.clone());
    outcome.reports.push(Report {
        waits_for: Some((module.clone(), into.to_owned())),
        ..work.report(
            ProblemKind::Parking,
            &claim.source_id,
            &claim.origin,
            "merged_into_unknown",
            &format!("The source says that it merged this record into {module}/{into}, which has not come. What stands stays until it does."),
        )
    });
}

/// The row of a record becomes part of the other one, unless other records of it live on.
async fn merge(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    claim: &Claim,
    own: &Identity,
    target: String,
    outcome: &mut Outcome,
) -> sqlx::Result<()> {
    write::apply(work, conn, outcome).await?;
    outcome.rows.clear();
    outcome.settled.clear();
    let others: bool = query_scalar(
        "select exists (select from prod.identities
                        where entity_id = $2 and entity = $1 and valid_to is null and not gone)",
    )
    .bind(work.definition.entity())
    .bind(&own.entity_id)
    .fetch_one(&mut *conn)
    .await?;
    if others {
        return rename(work, conn, claim, &target).await;
    }
    let vanished = Vanished::announced(claim, &own.entity_id);
    merging::merge_all(work, conn, vec![(vanished, target)]).await
}

/// Makes a record another name of an entity. It says nothing there.
async fn rename(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    claim: &Claim,
    into: &str,
) -> sqlx::Result<()> {
    identities::end(conn, work.definition, &[&claim.source_id]).await?;
    query(
        "insert into prod.identities
             (source, module, source_id, entity, entity_id, method, evidence, author, leads, gone, promotion)
         values ($1, $2, $3, $4, $5, 'merged', jsonb_build_object('from', $3, 'moved', 0, 'carried', '{}'::jsonb),
                 'concord', false, true, $6)",
    )
    .bind(&work.definition.module.source)
    .bind(work.definition.name())
    .bind(&claim.source_id)
    .bind(work.definition.entity())
    .bind(into)
    .bind(work.promotion.unwrap_or(0))
    .execute(conn)
    .await
    .map(drop)
}

/// Of records that are other names and that their source shows, those of which it does not say any more that they are.
pub(super) async fn taken_back(
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
