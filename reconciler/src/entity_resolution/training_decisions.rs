//! Reads decisions of people as training data.

use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::query_as;

/// The current decisions about a module's records, each with the evidence of the pair: from the review queue,
/// or from the score that had joined what a person separated. The evidence is `None` if no score was
/// involved.
pub async fn decided(
    conn: &mut PgConnection,
    module: &str,
) -> sqlx::Result<Vec<(bool, Option<Value>)>> {
    let rows: Vec<(bool, Option<Json<Value>>)> = query_as(
        "select l.is_same, coalesce(
             (array_agg(a.evidence order by a.problem_id desc) filter (where a.evidence is not null))[1],
             (array_agg(i.evidence -> 'why' order by i.valid_from desc) filter (where i.evidence ? 'why'))[1])
         from prod.links l
         left join (
             select p.problem_id, p.source_id, c ->> 'entity_id' as entity_id, c -> 'evidence' as evidence
             from ops.problems p, jsonb_path_query(p.detail, '$.candidates[*]') c
             where p.module = $1 and p.kind = 'review'
         ) a on a.source_id = l.source_id and a.entity_id = l.entity_id
         left join prod.identities i on i.source_id = l.source_id and i.module = l.module and i.source = l.source
             and i.entity_id = l.entity_id and i.valid_to is not null
         where l.module = $1 and l.ended_at is null
         group by l.link_id order by l.link_id",
    )
    .bind(module)
    .fetch_all(conn)
    .await?;
    let told = rows.into_iter();
    Ok(told
        .map(|(is_same, evidence)| (is_same, evidence.map(|Json(evidence)| evidence)))
        .collect())
}
