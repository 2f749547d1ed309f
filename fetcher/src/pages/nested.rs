//! Follows nested connections to their end, or asks for them whole where they are split off, and stitches
//! what comes into the record's own text.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::json::{Whole, envelope, raw_at};
use super::page::{Hole, Record};
use super::split::Split;
use super::stitch::{Edit, apply, edits, insertion, place_in};
use crate::failure::{Attempt, FetchError};
use crate::modules::{Module, Nested, Path};
use crate::source::{Question, Source};

/// Records of one page completed at the same time; the source's limiter still holds the rate.
const AT_ONCE: usize = 4;

/// Completes every record's nested connections, in the order the module declares them.
pub(super) async fn complete(
    source: &Source,
    module: &Module,
    split: &Split,
    records: &mut [Record],
    holes: &mut Vec<Hole>,
) -> Result<(), FetchError> {
    for (nested, split) in module.fetch.nested.iter().zip(&split.nested) {
        let unfinished: Vec<(usize, Vec<Open>)> = records
            .iter()
            .enumerate()
            .map(|(at, record)| {
                (
                    at,
                    open_connections(text(&record.json), nested.at.segments(), split.alone),
                )
            })
            .filter(|(_, open)| !open.is_empty())
            .collect();
        let follow = unfinished.into_iter().map(|(at, open)| {
            let follower = Follower {
                source,
                module,
                nested,
                query: &split.query,
                record: &records[at],
            };
            async move { Ok::<_, FetchError>((at, follower.follow_all(open).await?)) }
        });
        let done: Vec<_> = stream::iter(follow).buffered(AT_ONCE).try_collect().await?;
        for (at, (json, mut found)) in done {
            records[at].json = json;
            holes.append(&mut found);
        }
    }
    Ok(())
}

/// A nested connection that says it has more, or was not asked for.
struct Open {
    /// Where the connection object stands in the record's text, or the object that lacks it.
    place: Range<usize>,
    /// The list indices on the way to it.
    indices: Vec<usize>,
    cursor: Option<String>,
    /// Whether it is to be asked for from its beginning.
    absent: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    #[serde(default)]
    has_next_page: bool,
    #[serde(default)]
    end_cursor: Option<String>,
}

fn text(json: &Bytes) -> &str {
    // Records are cut from bodies already checked to be UTF-8.
    std::str::from_utf8(json).unwrap_or_default()
}

/// Every connection at the path, through lists, that is not at its end; also every one that is not there, if
/// it is asked for alone.
fn open_connections(record: &str, at: &[String], alone: bool) -> Vec<Open> {
    let mut found = Vec::new();
    walk(record, record, at, &mut Vec::new(), &mut found);
    found.retain(|open| alone || !open.absent);
    found
}

fn walk(record: &str, raw: &str, path: &[String], indices: &mut Vec<usize>, found: &mut Vec<Open>) {
    if raw.starts_with('[') {
        let elements = serde_json::from_str::<Vec<&RawValue>>(raw).unwrap_or_default();
        for (index, element) in elements.iter().enumerate() {
            indices.push(index);
            walk(record, element.get(), path, indices, found);
            indices.pop();
        }
        return;
    }
    if let [first, rest @ ..] = path {
        if let Some(below) = raw_at(raw, std::slice::from_ref(first)) {
            walk(record, below, rest, indices, found);
        } else if rest.is_empty() && raw.starts_with('{') {
            found.push(Open {
                place: place_in(record, raw),
                indices: indices.clone(),
                cursor: None,
                absent: true,
            });
        }
        return;
    }
    let info = raw_at(raw, &["pageInfo".to_owned()]);
    if let Some(PageInfo {
        has_next_page: true,
        end_cursor: cursor,
    }) = info.and_then(parse)
    {
        found.push(Open {
            place: place_in(record, raw),
            indices: indices.clone(),
            cursor,
            absent: false,
        });
    }
}

fn parse<'t, T: Deserialize<'t>>(raw: &'t str) -> Option<T> {
    serde_json::from_str(raw).ok()
}

/// The value at a path in the record; lists on the way take the indices that led to the connection.
fn bound<'t>(raw: &'t str, path: &[String], indices: &[usize]) -> Option<&'t str> {
    if raw.starts_with('[') && !path.is_empty() {
        let (index, rest) = indices.split_first()?;
        let elements: Vec<&RawValue> = parse(raw)?;
        return bound(elements.get(*index)?.get(), path, rest);
    }
    match path {
        [] => Some(raw),
        [first, rest @ ..] => bound(raw_at(raw, std::slice::from_ref(first))?, rest, indices),
    }
}

struct Follower<'f> {
    source: &'f Source,
    module: &'f Module,
    nested: &'f Nested,
    query: &'f Arc<str>,
    record: &'f Record,
}

impl Follower<'_> {
    async fn follow_all(&self, open: Vec<Open>) -> Result<(Bytes, Vec<Hole>), FetchError> {
        let mut holes = Vec::new();
        let mut edits = Vec::new();
        for connection in open {
            edits.append(&mut self.follow(connection, &mut holes).await?);
        }
        let json = apply(text(&self.record.json), edits);
        Ok((Bytes::from(json), holes))
    }

    fn attempt(&self) -> Attempt {
        let what = format!(
            "the rest of `{}` in {} {}",
            self.nested.at, self.module.name, self.record.source_id
        );
        Attempt {
            source: self.source.name().to_owned(),
            what,
            tries: 1,
        }
    }

    /// Reads one connection to its end; answers the edits that complete it in the record.
    async fn follow(&self, open: Open, holes: &mut Vec<Hole>) -> Result<Vec<Edit>, FetchError> {
        let record = text(&self.record.json);
        let mut variables = self.variables(record, &open.indices)?;
        if !open.absent {
            let added = self.rest(open.cursor, &mut variables, holes).await?;
            return Ok(edits(record, &open.place, &added));
        }
        let mut whole = self.ask_by_halves(&mut variables, None, holes).await?;
        if let Some(first) = open_connections(&whole, &[], false).pop() {
            let added = self.rest(first.cursor, &mut variables, holes).await?;
            whole = apply(&whole, edits(&whole, &first.place, &added));
        }
        Ok(vec![insertion(
            record,
            &open.place,
            &self.nested.at,
            &whole,
        )])
    }

    /// What the further pages of a connection hold, from this cursor on.
    async fn rest(
        &self,
        mut cursor: Option<String>,
        variables: &mut Map<String, Value>,
        holes: &mut Vec<Hole>,
    ) -> Result<BTreeMap<&'static str, Vec<String>>, FetchError> {
        let mut added: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let mut seen = std::collections::HashSet::new();
        for page in 2.. {
            let Some(after) = cursor else {
                let problem = format!(
                    "`{}` says there is more, but gives no cursor",
                    self.nested.at
                );
                return Err(FetchError::Shape {
                    attempt: self.attempt(),
                    problem,
                });
            };
            if !seen.insert(after.clone()) {
                return Err(FetchError::Loop {
                    attempt: self.attempt(),
                    cursor: after,
                    page,
                });
            }
            variables.insert(self.nested.cursor_variable.clone(), after.as_str().into());
            let connection = self.ask_by_halves(variables, Some(after), holes).await?;
            for key in ["nodes", "edges"] {
                let elements: Vec<&RawValue> = raw_at(&connection, &[key.to_owned()])
                    .and_then(parse)
                    .unwrap_or_default();
                let texts = elements.iter().map(|element| element.get().to_owned());
                added.entry(key).or_default().extend(texts);
            }
            let info = raw_at(&connection, &["pageInfo".to_owned()]).and_then(parse);
            match info {
                Some(PageInfo {
                    has_next_page: true,
                    end_cursor,
                }) => cursor = end_cursor,
                Some(_) => break,
                None => {
                    let problem = format!("`{}` has no pageInfo", self.nested.connection);
                    return Err(FetchError::Shape {
                        attempt: self.attempt(),
                        problem,
                    });
                }
            }
        }
        Ok(added)
    }

    fn variables(&self, record: &str, indices: &[usize]) -> Result<Map<String, Value>, FetchError> {
        let mut variables = Map::new();
        if let Some(name) = &self.nested.size_variable {
            let taken = self.source.page_size(&self.kind());
            let size = taken.map_or(self.nested.size, |taken| taken.min(self.nested.size));
            variables.insert(name.clone(), size.max(1).into());
        }
        for (name, value) in &self.nested.variables {
            let value = match value {
                Value::String(path) if path.starts_with('.') => {
                    let path = Path::parse(path).unwrap_or_default();
                    bound(record, path.segments(), indices)
                        .and_then(parse)
                        .ok_or_else(|| FetchError::Shape {
                            attempt: self.attempt(),
                            problem: format!("the record has no `{path}` to ask with"),
                        })?
                }
                constant => constant.clone(),
            };
            variables.insert(name.clone(), value);
        }
        Ok(variables)
    }

    /// What is alike in cost and size: the further pages of this connection, of whichever record.
    fn kind(&self) -> String {
        format!("{}.{}", self.module.name, self.nested.at)
    }

    /// The connection object of one further page, of as many things as the source takes at once. The size it
    /// took stands in the variables and is remembered.
    async fn ask_by_halves(
        &self,
        variables: &mut Map<String, Value>,
        after: Option<String>,
        holes: &mut Vec<Hole>,
    ) -> Result<String, FetchError> {
        loop {
            let failure = match self.ask(variables, after.clone(), holes).await {
                Err(failure) if failure.is_about_size() => failure,
                outcome => return outcome,
            };
            let size = self
                .nested
                .size_variable
                .as_ref()
                .and_then(|name| variables.get_mut(name));
            let half = size.as_deref().and_then(Value::as_u64).unwrap_or(0) / 2;
            let (Some(size), Ok(half @ 1..)) = (size, u32::try_from(half)) else {
                return Err(failure);
            };
            *size = half.into();
            tracing::warn!(module = %self.module.name, at = %self.nested.at, page_size = half, reason = %failure,
                "the source refuses pages of this size; smaller ones are asked for");
            self.source.remember_page_size(&self.kind(), half);
        }
    }

    /// The connection object of one further page.
    async fn ask(
        &self,
        variables: &Map<String, Value>,
        after: Option<String>,
        holes: &mut Vec<Hole>,
    ) -> Result<String, FetchError> {
        let question = Question {
            what: self.attempt().what,
            kind: self.kind(),
            query: self.query.clone(),
            variables: variables.clone(),
            cursor: after,
            once: false,
        };
        let answer = self
            .source
            .ask(&question, |body| {
                let text = std::str::from_utf8(body).map_err(serde::de::Error::custom)?;
                envelope(text, Whole)
            })
            .await?;
        holes.extend(answer.errors.into_iter().map(|error| Hole {
            path: format!("{}.{}", self.nested.at, error.path),
            source_id: Some(self.record.source_id.clone()),
            message: format!("The source failed here: {}", error.message),
        }));
        let data = answer
            .data
            .as_deref()
            .map(RawValue::get)
            .unwrap_or_default();
        match raw_at(data, self.nested.connection.segments()) {
            Some(connection) if connection.starts_with('{') => Ok(connection.to_owned()),
            _ => Err(FetchError::Shape {
                attempt: self.attempt(),
                problem: format!(
                    "`data.{}` is absent or null in the answer",
                    self.nested.connection
                ),
            }),
        }
    }
}
