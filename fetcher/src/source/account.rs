//! Which account a source answers for.

use serde::Deserialize;
use serde_json::Map;
use serde_json::value::RawValue;

use super::exchange::Question;
use super::open::Source;
use crate::failure::{Attempt, FetchError};
use crate::modules::Path;
use crate::pages::{Whole, envelope, raw_at};

/// How a source is asked whose data it serves, as `[sources.NAME] account = { … }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// The query, as in `{ company { id } }`.
    pub query: String,
    /// Where the account's id stands in its answer, as in `.company.id`.
    pub id: String,
}

impl Source {
    /// The id of the account the credentials belong to; `None` where the configuration does not say how to
    /// ask.
    pub async fn account(&self) -> Result<Option<String>, FetchError> {
        let Some(config) = &self.0.account else {
            return Ok(None);
        };
        let what = "the account".to_owned();
        let question = Question {
            what: what.clone(),
            kind: what.clone(),
            query: config.query.as_str().into(),
            variables: Map::new(),
            cursor: None,
            once: false,
        };
        let answer = self
            .ask(&question, |body| {
                let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
                envelope(text, Whole)
            })
            .await?;
        let data = answer
            .data
            .as_deref()
            .map(RawValue::get)
            .unwrap_or_default();
        let path = Path::parse(&config.id).unwrap_or_default();
        match raw_at(data, path.segments()).filter(|id| !matches!(*id, "null" | "\"\"")) {
            Some(id) => Ok(Some(id.trim_matches('"').to_owned())),
            None => Err(FetchError::Shape {
                attempt: Attempt {
                    source: self.name().to_owned(),
                    what,
                    tries: 1,
                },
                problem: format!(
                    "its answer has nothing at `{}`, where `account.id` points",
                    config.id
                ),
            }),
        }
    }
}
