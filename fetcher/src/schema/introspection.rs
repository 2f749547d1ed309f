//! Introspection: asks a source for its schema.

use serde_json::Map;
use serde_json::value::RawValue;

use super::sdl::{Described, Sdl};
use crate::failure::error::{Attempt, FetchError, FetchErrorKind};
use crate::pages::json::{Whole, envelope, raw_at};
use crate::source::exchange::Question;
use crate::source::open::Source;

/// Uses only what every server of the 2018 specification supports.
const QUERY: &str = r"query Introspection {
  __schema {
    queryType { name }
    mutationType { name }
    subscriptionType { name }
    types {
      kind name description
      fields(includeDeprecated: true) { name description args { ...Input } type { ...Of } isDeprecated }
      inputFields { ...Input }
      interfaces { name }
      enumValues(includeDeprecated: true) { name description isDeprecated }
      possibleTypes { name }
    }
    directives { name locations args { ...Input } }
  }
}
fragment Input on __InputValue { name description type { ...Of } defaultValue }
fragment Of on __Type {
  kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType {
  kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }
}";

/// The largest public schemas have a few thousand types; many times that is an attack.
const TYPES: usize = 20_000;

/// Sends the smallest possible query, to check address and credentials.
pub async fn probe(source: &Source) -> Result<(), FetchError> {
    ask(
        source,
        "a sign of life",
        "query Probe { __typename }",
        false,
    )
    .await
    .map(drop)
}

/// Asks a source for its schema and writes it as SDL.
pub async fn introspect(source: &Source) -> Result<Sdl, FetchError> {
    described(source, false).await
}

/// As `introspect`, but without retries: a run does not wait for a schema.
pub async fn show_schema(source: &Source) -> Result<Sdl, FetchError> {
    described(source, true).await
}

async fn described(source: &Source, once: bool) -> Result<Sdl, FetchError> {
    let data = ask(source, "its schema", QUERY, once).await?;
    let described = raw_at(&data, &["__schema".to_owned()])
        .and_then(|raw| serde_json::from_str::<Described>(raw).ok());
    let problem = match described {
        Some(described) if described.size() <= TYPES => return Ok(described.to_sdl()),
        Some(described) => format!(
            "its schema has {} types, and no more than {TYPES} are read; this is hardly the endpoint that was meant",
            described.size()
        ),
        None => "the answer holds no `__schema`, or one nested beyond reading; the source may have introspection switched off".to_owned(),
    };
    Err(FetchError::new(
        Attempt {
            source: source.name().to_owned(),
            what: "its schema".to_owned(),
            tries: 1,
        },
        FetchErrorKind::Shape { problem },
    ))
}

/// The whole `data` of a response; empty if it is null.
async fn ask(source: &Source, what: &str, query: &str, once: bool) -> Result<String, FetchError> {
    let question = Question {
        what: what.to_owned(),
        kind: what.to_owned(),
        query: query.into(),
        variables: Map::new(),
        cursor: None,
        once,
    };
    let answer = source
        .ask(&question, |body| {
            let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
            envelope(text, Whole)
        })
        .await?;
    Ok(answer
        .data
        .as_deref()
        .map(RawValue::get)
        .unwrap_or_default()
        .to_owned())
}
