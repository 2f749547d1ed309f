//! Requests one record by its id, before it is marked as absent.

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{Whole, envelope, raw_at};
use crate::failure::error::{FetchError, FetchErrorKind};
use crate::modules::load::Module;
use crate::modules::spec::Recheck;
use crate::source::exchange::Question;
use crate::source::open::Source;

/// Whether the source still has a record that its list left out. Null without an error, or a "not found"
/// error, means no; anything else proves nothing, and the record counts as present.
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
        // Some sources return an error instead of null for an unknown id.
        Err(FetchError {
            kind: FetchErrorKind::Query { errors },
            ..
        }) if errors.iter().any(|e| e.says_not_found()) => {
            return Ok(false);
        }
        asked => asked?,
    };
    let data = answer.data.as_deref().map_or("null", RawValue::get);
    let found = raw_at(data, recheck.at.segments()).is_some_and(|raw| raw.trim() != "null");
    let is_said = answer.errors.is_empty() || answer.errors.iter().all(|e| e.says_not_found());
    Ok(found || !is_said)
}
