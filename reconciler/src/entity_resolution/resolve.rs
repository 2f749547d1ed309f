//! Resolves one record, and explains one pair, with the code that runs use.

use matching::explain::{Explanation, explain};
use serde::Serialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::blocking_keys::{neighbours, neighbours_of};
use super::score_decision::{Asking, Verdict, judge};
use super::{Decision, Scoring, candidates, decide, distinct_of, keys_of};
use crate::definition::Definition;

/// The result of resolving one record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Resolution {
    /// Decided by exact keys.
    ExactKey(Decision),
    /// Decided by scores.
    Score(Verdict),
}

/// Resolves a row of a module as a run would, and writes nothing. The row has the columns of the contract; it
/// is treated as a record without an identity.
pub async fn resolve(
    conn: &mut PgConnection,
    definition: &Definition,
    row: &Map<String, Value>,
) -> sqlx::Result<Resolution> {
    let specs = &definition.spec.matching.keys;
    let keys = keys_of(specs, |column| row.get(column));
    let sharing = candidates(conn, definition, &keys.iter().collect::<Vec<_>>()).await?;
    let sharing: Vec<_> = sharing.into_values().flatten().collect();
    let own = |spec: &crate::definition::KeySpec| distinct_of(spec, |column| row.get(column));
    let exact = decide(specs, &sharing, own);
    let scoring = match (&exact, &definition.scoring) {
        (Decision::NoMatch, Some(scoring)) => scoring,
        _ => return Ok(Resolution::ExactKey(exact)),
    };
    let asking = [Asking {
        source_id: "",
        profile: scoring.profile(|column| row.get(column)),
        refused: &[],
    }];
    let mut verdicts = judge(conn, definition, scoring, &asking).await?;
    Ok(Resolution::Score(
        verdicts.pop().unwrap_or(Verdict::NoMatch),
    ))
}

/// One side of a pair: its name and its columns.
pub type Side<'a> = (&'a str, &'a Map<String, Value>);

/// Explains a pair among the neighbours of its first side, whether or not a blocking key brings the two
/// together.
pub async fn why(
    conn: &mut PgConnection,
    definition: &Definition,
    scoring: &Scoring,
    one: Side<'_>,
    other: Side<'_>,
) -> sqlx::Result<Explanation> {
    let profile = |row: &Map<String, Value>| scoring.profile(|column| row.get(column));
    let mut profiles = vec![profile(one.1), profile(other.1)];
    let mut names = vec![one.0.to_owned(), other.0.to_owned()];
    let shared = neighbours_of(
        conn,
        definition.entity(),
        &[scoring.blocks_of(&profiles[0])],
    )
    .await?;
    let ids: Vec<&str> = shared[0].0.iter().map(String::as_str).collect();
    for (id, found) in neighbours(conn, definition, scoring, &ids).await? {
        let is_one_of_both = names[..2]
            .iter()
            .any(|name| name.split_once('/').is_some_and(|(_, own)| own == id));
        if !is_one_of_both {
            profiles.push(profile(&found));
            names.push(format!("{}/{id}", definition.entity()));
        }
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let batch = scoring.batch(&profiles, &names, true);
    let mut explanation = explain(&batch, &scoring.model, 0, 1);
    explanation.model.clone_from(&scoring.version);
    Ok(explanation)
}
