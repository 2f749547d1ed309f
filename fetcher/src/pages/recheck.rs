//! Asks for one record by its id, before its absence from a list is believed.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{Whole, envelope, raw_at};
use crate::failure::FetchError;
use crate::modules::{Module, Recheck};
use crate::source::{Question, Source};

/// Whether the source still has a record that its list left out. It has not when it answers null, without an
/// error or with one that says so; anything else proves nothing, and the record counts as there.
pub async fn is_there(
    source: &Source,
    module: &Module,
    recheck: &Recheck,
    id: &str,
) -> Result<bool, FetchError> {
    let question = Question {
        what: format!("{id} of {}, which its list left out", module.name),
        kind: module.name.clone(),
        query: recheck.query.clone(),
        variables: Map::from_iter([(recheck.variable.clone(), Value::from(id))]),
        cursor: None,
        once: false,
    };
    let asked = source
        .ask(&question, |body| {
            let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
            envelope(text, Whole)
        })
        .await;
    let answer = match asked {
        // What is asked for by an id that is none any more may be an error instead of null.
        Err(FetchError::Query { errors, .. }) if errors.iter().any(|e| e.says_not_found()) => {
            return Ok(false);
        }
        asked => asked?,
    };
    let data = answer.data.as_deref().map_or("null", RawValue::get);
    let found = raw_at(data, recheck.at.segments()).is_some_and(|raw| raw.trim() != "null");
    let is_said = answer.errors.is_empty() || answer.errors.iter().all(|e| e.says_not_found());
    Ok(found || !is_said)
}
