//! `concord why-match`: why two records are, or are not, the same entity.

use matching::explain::Explanation;
use reconciler::entity_resolution::{Scoring, why};
use reconciler::{Definition, Definitions, staged_row};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::{Answer, reading};
use crate::config::Config;
use crate::process::UsageError;

/// Why two are, or are not, one: the levels that fired with their weights, the runner-up, the margin, and
/// what was decided.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A record as `MODULE/ID`, or a row of production as `ENTITY/ID`.
    one: String,
    /// The other.
    other: String,
}

#[derive(Serialize, sqlx::FromRow)]
struct Decided {
    entity_id: String,
    method: String,
    score: Option<f64>,
    author: String,
    since: String,
    evidence: Value,
}

#[derive(Serialize)]
struct Told {
    decided: Option<Decided>,
    waits: Option<Value>,
    verdict: &'static str,
    match_from: f32,
    review_from: f32,
    explanation: Explanation,
}

/// One side of the pair.
struct Side<'d> {
    definition: &'d Definition,
    row: Map<String, Value>,
    /// The record's id, where it is a record.
    source_id: Option<String>,
}

/// Explains a pair, whether or not a blocking key brings it together.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let told = reading(config, async |tx| {
        let one = side(tx, &definitions, &args.one).await?;
        let other = side(tx, &definitions, &args.other).await?;
        let (definition, scoring) = matcher(&definitions, &one, &other)?;
        let sides = (
            (args.one.as_str(), &one.row),
            (args.other.as_str(), &other.row),
        );
        let explanation = why(tx, definition, scoring, sides.0, sides.1).await?;
        let record = [&one, &other]
            .into_iter()
            .find_map(|side| Some((side.definition, side.source_id.as_deref()?)));
        let (mut decided, mut waits) = (None, None);
        if let Some((definition, source_id)) = record {
            decided = decision(tx, definition, source_id).await?;
            waits = review(tx, definition.name(), source_id).await?;
        }
        let thresholds = scoring.model.thresholds;
        let verdict = match explanation.score {
            score if score >= thresholds.is_match => "match",
            score if score >= thresholds.review => "review",
            _ => "no match",
        };
        Ok(Told {
            decided,
            waits,
            verdict,
            match_from: thresholds.is_match,
            review_from: thresholds.review,
            explanation,
        })
    })
    .await?;
    Answer::new(said(&told), &told)
}

/// A staged record, or else a row of production.
async fn side<'d>(
    conn: &mut PgConnection,
    definitions: &'d Definitions,
    name: &str,
) -> anyhow::Result<Side<'d>> {
    let split = name.split_once('/').filter(|(_, id)| !id.is_empty());
    let (kind, id) = split.ok_or_else(|| {
        UsageError(format!(
            "`{name}` names nobody. Write MODULE/ID or ENTITY/ID, such as clients/cli_123."
        ))
    })?;
    if let Some(definition) = definitions.get(kind)
        && let Some(row) = staged_row(conn, definitions, definition, id).await?
    {
        return Ok(Side {
            definition,
            row,
            source_id: Some(id.to_owned()),
        });
    }
    let all = definitions.parents_first();
    let of_table = all
        .into_iter()
        .find(|d| d.entity() == kind || d.name() == kind);
    if let Some(definition) = of_table {
        let sql = format!(
            "select to_jsonb(t) from prod.\"{}\" t where id = $1",
            definition.entity()
        );
        let row: Option<Value> = query_scalar(AssertSqlSafe(sql))
            .bind(id)
            .fetch_optional(conn)
            .await?;
        if let Some(Value::Object(row)) = row {
            return Ok(Side {
                definition,
                row,
                source_id: None,
            });
        }
    }
    Err(UsageError(format!("There is neither a record nor a row {name}.")).into())
}

fn matcher<'d>(
    definitions: &'d Definitions,
    one: &Side<'d>,
    other: &Side<'d>,
) -> Result<(&'d Definition, &'d Scoring), UsageError> {
    let entity = one.definition.entity();
    if entity != other.definition.entity() {
        return Err(UsageError(format!(
            "{entity} and {} are never one; name two of one table.",
            other.definition.entity()
        )));
    }
    let of_sides = [one.definition, other.definition].into_iter();
    let of_table = definitions.parents_first().into_iter();
    of_sides
        .chain(of_table.filter(|definition| definition.entity() == entity))
        .find_map(|definition| Some((definition, definition.scoring.as_ref()?)))
        .ok_or_else(|| {
            UsageError(format!(
                "No module of {entity} matches by score; only exact keys decide there."
            ))
        })
}

async fn decision(
    conn: &mut PgConnection,
    definition: &Definition,
    source_id: &str,
) -> sqlx::Result<Option<Decided>> {
    query_as(
        "select entity_id, method, score, author, evidence,
                to_char(valid_from at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as since
         from prod.identities where source_id = $3 and module = $2 and source = $1 and valid_to is null",
    )
    .bind(&definition.module.source)
    .bind(definition.name())
    .bind(source_id)
    .fetch_optional(conn)
    .await
}

async fn review(
    conn: &mut PgConnection,
    module: &str,
    source_id: &str,
) -> sqlx::Result<Option<Value>> {
    query_scalar(
        "select detail from ops.problems
         where source_id = $2 and module = $1 and kind = 'review' and state = 'open' limit 1",
    )
    .bind(module)
    .bind(source_id)
    .fetch_optional(conn)
    .await
}

fn said(told: &Told) -> String {
    let mut text = match (&told.decided, &told.waits) {
        (Some(decided), _) => {
            let score = decided
                .score
                .map_or(String::new(), |score| format!(", {score:.1} bits"));
            format!(
                "Decided: {} is {} ({}{score}) by {} since {}.\n",
                told.explanation.records[0],
                decided.entity_id,
                decided.method,
                decided.author,
                decided.since
            )
        }
        (None, Some(_)) => "Decided: nothing yet; it waits in review.\n".to_owned(),
        (None, None) => "Decided: nothing.\n".to_owned(),
    };
    text.push_str(&format!(
        "By score: {} (a match from {:.1}, a question from {:.1}).\n\n{}\n",
        told.verdict, told.match_from, told.review_from, told.explanation
    ));
    text
}
