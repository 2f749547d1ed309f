//! Which account the credentials of a source belong to.

use serde_json::Map;
use serde_json::value::RawValue;

use super::exchange::Question;
use super::open::Source;
use crate::failure::error::{Attempt, FetchError, FetchErrorKind};
use crate::modules::path::Path;
use crate::pages::json::{Whole, envelope, raw_at};

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
            None => Err(FetchError::new(
                Attempt {
                    source: self.name().to_owned(),
                    what,
                    tries: 1,
                },
                FetchErrorKind::Shape {
                    problem: format!(
                        "its answer has nothing at `{}`, where `account.id` points",
                        config.id
                    ),
                },
            )),
        }
    }
}
