//! What people wrote into a row that its source merged into another goes over to that one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::ProblemKind;
use staging::database::query_as;

use super::Work;
use super::meeting::stamp;
use super::merging::{Vanished, evidence};
use super::wave::rows_now;
use super::write::image_text;
use crate::contract::is_audit;
use crate::definition::Definition;
use crate::history::{Operation, RowWrite, apply_images};
use crate::merge::{Owner, is_empty};

/// Writes what people wrote into the vanished rows into those that survive, and says what that was, by vanished entity.
pub(super) async fn carry_all(
    work: &mut Work<'_>,
    conn: &mut PgConnection,
    number: i64,
    merged: &[(Vanished, String)],
) -> sqlx::Result<HashMap<String, Map<String, Value>>> {
    let definition = work.definition;
    let entity = definition.entity();
    let ids = merged
        .iter()
        .flat_map(|(v, into)| [v.entity_id.as_str(), into]);
    let ids: Vec<&str> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut standing = rows_now(conn, entity, &ids).await?;
    let bases = bases(conn, entity, merged).await?;
    let mut carried = HashMap::new();
    let (mut changed, mut reports) = (BTreeMap::new(), Vec::new());
    for (vanished, into) in merged {
        let from = standing.remove(&vanished.entity_id).unwrap_or_default();
        let Some(ours) = standing.get_mut(into) else {
            continue;
        };
        let by_hand = by_hand(from, bases.get(&vanished.entity_id));
        let (taken, refused) = carry(definition, ours, by_hand);
        for (column, value) in refused {
            reports.push(contradiction(
                work,
                vanished,
                into,
                &column,
                &value,
                &ours[&column],
            ));
        }
        if !taken.is_empty() {
            changed.insert(into.clone(), evidence(work, vanished));
        }
        carried.insert(vanished.entity_id.clone(), taken);
    }
    work.tally.conflicts += reports.len() as i64;
    work.extent.changed += changed.len() as i64;
    staging::report_problems(conn, work.run_id, &reports).await?;
    let mut rows = Vec::with_capacity(changed.len());
    for (entity_id, evidence) in changed {
        let mut image = standing.remove(&entity_id).unwrap_or_default();
        stamp(&mut image, &work.now);
        rows.push(RowWrite {
            entity_id,
            image: Some(image_text(&image)),
            operation: Operation::Update,
            evidence: Some(evidence),
        });
    }
    apply_images(conn, number, entity, &rows).await?;
    Ok(carried)
}

/// What the records of the vanished entities said last.
async fn bases(
    conn: &mut PgConnection,
    entity: &str,
    merged: &[(Vanished, String)],
) -> sqlx::Result<HashMap<String, Vec<Map<String, Value>>>> {
    let ids: Vec<&str> = merged.iter().map(|(v, _)| v.entity_id.as_str()).collect();
    let rows: Vec<(String, Json<Map<String, Value>>)> = query_as(
        "select i.entity_id, i.base from unnest($2::text[]) as v(entity_id)
         cross join lateral (select * from prod.identities i
             where i.entity_id = v.entity_id and i.entity = $1 and i.valid_to is null offset 0) i",
    )
    .bind(entity)
    .bind(&ids)
    .fetch_all(conn)
    .await?;
    let mut bases: HashMap<String, Vec<Map<String, Value>>> = HashMap::new();
    for (entity_id, base) in rows {
        bases.entry(entity_id).or_default().push(base.0);
    }
    Ok(bases)
}

/// The columns of a row that no record said; of lists, the items.
fn by_hand(
    mut row: Map<String, Value>,
    said: Option<&Vec<Map<String, Value>>>,
) -> Map<String, Value> {
    let said = |column: &str| {
        let bases = said.into_iter().flatten();
        bases
            .filter_map(move |base| base.get(column))
            .collect::<Vec<_>>()
    };
    row.retain(|column, value| {
        let said = said(column);
        if let Value::Array(items) = value {
            let is_said = |item: &Value| {
                let lists = said.iter().filter_map(|list| list.as_array());
                lists.flatten().any(|other| other == item)
            };
            items.retain(|item| !is_said(item));
        }
        column != "id" && !is_audit(column) && !is_empty(value) && !said.contains(&&*value)
    });
    row
}

/// Brings what people wrote into the row that survives: it fills what stands empty and is added to lists that grow. What it
/// contradicts is answered too.
fn carry(
    definition: &Definition,
    ours: &mut Map<String, Value>,
    by_hand: Map<String, Value>,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut taken, mut refused) = (Map::new(), Map::new());
    for (column, value) in by_hand {
        let appends = definition.ownership(&column).own == Owner::Append;
        match (ours.get_mut(&column), value) {
            (Some(Value::Array(stands)), Value::Array(items)) if appends => {
                let new = items.into_iter().filter(|item| !stands.contains(item));
                let new: Vec<Value> = new.collect();
                if !new.is_empty() {
                    stands.extend(new.iter().cloned());
                    taken.insert(column, new.into());
                }
            }
            (Some(stands), value) if !is_empty(stands) => {
                if *stands != value {
                    refused.insert(column, value);
                }
            }
            (_, value) => {
                ours.insert(column.clone(), value.clone());
                taken.insert(column, value);
            }
        }
    }
    (taken, refused)
}

fn contradiction(
    work: &Work<'_>,
    vanished: &Vanished,
    into: &str,
    column: &str,
    written: &Value,
    stands: &Value,
) -> staging::Report {
    let module = work.definition.name();
    let why = format!(
        "`{column}` was written by hand into {}, which its source merged into {into}. What stands there was kept; compare the two and correct one.",
        vanished.source_id
    );
    let code = format!("merged_said:{column}");
    let mut report = work.report(
        ProblemKind::Conflict,
        &vanished.source_id,
        module,
        &code,
        &why,
    );
    report.place = Some(column.to_owned());
    report.detail = json!({ "origin": module, "written": written, "ours": stands });
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_said_was_written_by_hand() {
        let row = json!({ "id": "a", "name": "Dupont", "notes": "clé", "tags": ["vip", "vu"], "version": 3, "email": "" });
        let said = json!({ "name": "Dupont", "tags": ["vip"] });
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let found = by_hand(object(row), Some(&vec![object(said)]));
        assert_eq!(
            Value::from(found),
            json!({ "notes": "clé", "tags": ["vu"] })
        );
    }
}
