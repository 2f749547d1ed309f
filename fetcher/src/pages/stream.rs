//! The stream: asks for the next page while the one before is being used.

use std::sync::Arc;

use futures::{Stream, StreamExt};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ahead::{Item, Sender, ahead};
use super::divided::{Part, Places, places};
use super::known::Known;
use super::nested;
use super::page::{Cursor, Hole, Page, Record, Selection};
use super::position::{Circle, Position, Stuck, moves, print_of, stands_still};
use super::slice::{Slice, slice, source_id};
use super::split::Split;
use crate::failure::{Attempt, FetchError, GraphQlError};
use crate::modules::{Module, Style};
use crate::source::{Question, Source};

/// A module's pages, from the start or from a stored cursor. Pages are read ahead, two at most (of a divided
/// stream, two of each part and two of the whole); dropping the stream stops the reading. After an error the
/// stream ends.
pub fn pages(
    source: &Source,
    module: &Module,
    selection: Selection,
    from: Option<Cursor>,
) -> impl Stream<Item = Item> + Send + Unpin + 'static {
    let reader = Reader {
        source: source.clone(),
        module: module.clone(),
        selection,
        part: None,
    };
    ahead(async move |sender| reader.read(from, &sender).await)
}

/// How often a page that leads nowhere, empty or the one before once more, is asked for again before it
/// counts as a loop.
const PATIENCE: u32 = 3;

#[derive(Clone)]
pub(super) struct Reader {
    pub(super) source: Source,
    pub(super) module: Module,
    pub(super) selection: Selection,
    /// The part of a divided stream that it reads.
    part: Option<Part>,
}

impl Reader {
    /// Reads the stream, as a whole or in parts.
    async fn read(self, from: Option<Cursor>, sender: &Sender) -> Result<(), FetchError> {
        let places = places(&self.module.fetch, &self.selection, from.as_ref())
            .map_err(|stuck| self.stuck(&stuck, from.as_ref(), 1))?;
        match places {
            Some(places) => self.read_parts(places, sender).await,
            None => self.read_whole(from, sender).await,
        }
    }

    /// Reads the parts side by side, their pages in the order in which they come.
    async fn read_parts(&self, mut places: Places, sender: &Sender) -> Result<(), FetchError> {
        let mut total = self.count().await?;
        let divide = self.module.fetch.divide.iter();
        let open = divide.flat_map(|divide| places.open(divide));
        let mut parts = futures::stream::select_all(open.map(|(part, from)| {
            let number = part.number;
            let reader = Self {
                part: Some(part),
                ..self.clone()
            };
            ahead(async move |sender| reader.read_whole(from, &sender).await)
                .map(move |item| (number, item))
        }));
        let mut number = 0;
        while let Some((part, item)) = parts.next().await {
            let mut page = item?;
            places.move_on(part, page.next);
            number += 1;
            page.number = number;
            page.next = places.cursor();
            if page.next.is_none() {
                // What came or went meanwhile counts.
                total = self.count().await?;
            }
            page.total_count = total;
            if sender.send(Ok(page)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many records the source says the undivided stream has.
    async fn count(&self) -> Result<Option<u64>, FetchError> {
        let start = Position::begin(&self.module.fetch.paging, None)
            .map_err(|stuck| self.stuck(&stuck, None, 1))?;
        let mut split = self.first_split();
        loop {
            match self.ask(&start, 1, 1, &split.query).await {
                Err(failure) if failure.is_about_depth() => {
                    split = self.less_deep(&split, failure)?
                }
                outcome => return Ok(outcome?.0.total),
            }
        }
    }

    async fn read_whole(&self, from: Option<Cursor>, sender: &Sender) -> Result<(), FetchError> {
        let paging = &self.module.fetch.paging;
        let mut position = Position::begin(paging, from.as_ref())
            .map_err(|stuck| self.stuck(&stuck, from.as_ref(), 1))?;
        let mut circle = Circle::default();
        let (mut number, mut stalls, mut before) = (1, 0, None);
        let mut size = self.first_size(&position);
        let mut known = Known::behind(&self.module.fetch, &self.selection);
        let mut split = self.first_split();
        loop {
            let (cut, errors) = match self.ask(&position, number, size, &split.query).await {
                Err(failure) if failure.is_about_size() => {
                    (position, size) = self.smaller(&position, size, failure)?;
                    continue;
                }
                Err(failure) if failure.is_about_depth() => {
                    split = self.less_deep(&split, failure)?;
                    continue;
                }
                outcome => outcome?,
            };
            self.remember(size);
            let print = print_of(&cut);
            let repeated = print.is_some() && print == before;
            if repeated
                && stalls < PATIENCE
                && paging.style != Style::List
                && !moves(&cut, &position)
            {
                self.source.note_repeated(&self.module.name);
                stalls += 1;
                continue;
            }
            if stands_still(&cut, &position) && stalls < PATIENCE {
                stalls += 1;
                continue;
            }
            (stalls, before) = (0, print);
            let following = position
                .after(paging.style, &cut)
                .map_err(|stuck| self.stuck(&stuck, None, number))?;
            let place = place_of(paging.style, following.as_ref(), &cut);
            let repeats = following.is_some()
                && (following.as_ref() == Some(&position) || circle.closes(place));
            let next = following.as_ref().and_then(Position::cursor);
            let page = match self.page(number, cut, errors, next.clone(), &split).await {
                Err(failure) if failure.is_about_depth() => {
                    split = self.less_deep(&split, failure)?;
                    continue;
                }
                outcome => outcome?,
            };
            let is_known = known
                .as_mut()
                .is_some_and(|known| known.hold(&page.records));
            if sender.send(Ok(page)).await.is_err() || is_known {
                return Ok(());
            }
            if repeats {
                let cursor = next.map(|cursor| cursor.0).unwrap_or_default();
                return Err(FetchError::Loop {
                    attempt: self.attempt(number),
                    cursor,
                    page: number,
                });
            }
            match following {
                Some(following) => position = following,
                None => return Ok(()),
            }
            number += 1;
        }
    }

    fn attempt(&self, number: u32) -> Attempt {
        Attempt {
            source: self.source.name().to_owned(),
            what: self.what(number),
            tries: 1,
        }
    }

    fn what(&self, number: u32) -> String {
        let of = self
            .part
            .iter()
            .map(|part| format!("part {} of ", part.number));
        format!(
            "page {number} of {}{}",
            of.collect::<String>(),
            self.module.name
        )
    }

    fn stuck(&self, stuck: &Stuck, from: Option<&Cursor>, number: u32) -> FetchError {
        let attempt = self.attempt(number);
        match stuck {
            Stuck::NoCursor => FetchError::Shape {
                attempt,
                problem: "the source says there is more, but gives no cursor to continue from"
                    .to_owned(),
            },
            Stuck::MoreThanOnePage => FetchError::Shape {
                attempt,
                problem: "the source says there is more, but the module reads a single list"
                    .to_owned(),
            },
            Stuck::BadCursor => FetchError::CursorRefused {
                attempt,
                cursor: from.map(ToString::to_string).unwrap_or_default(),
                errors: vec![GraphQlError {
                    message: "it was stored by another style of paging".to_owned(),
                    ..GraphQlError::default()
                }],
            },
        }
    }

    async fn ask(
        &self,
        position: &Position,
        number: u32,
        size: u32,
        query: &Arc<str>,
    ) -> Result<(Slice, Vec<GraphQlError>), FetchError> {
        let spec = &self.module.fetch;
        let mut variables: Map<String, Value> = spec
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (since, until, written) = spec.range();
        let Selection {
            since: from,
            until: to,
            ..
        } = &self.selection;
        for (variable, instant) in [(since, from), (until, to)] {
            if let (Some(variable), Some(instant)) = (variable, instant) {
                variables.insert(variable.to_owned(), Value::from(written.form(instant)));
            }
        }
        if let Some(part) = &self.part {
            part.fill(&mut variables);
        }
        position.fill(&spec.paging, size, &mut variables);
        let question = Question {
            what: self.what(number),
            kind: self.module.name.clone(),
            query: query.clone(),
            variables,
            cursor: position.cursor().map(|cursor| cursor.0),
            once: false,
        };
        let answer = self.source.ask(&question, |body| slice(body, spec)).await?;
        match answer.data {
            Some(cut) => Ok((cut, answer.errors)),
            None => Err(FetchError::Shape {
                attempt: self.attempt(number),
                problem: format!(
                    "`data.{}` is absent or null in the answer",
                    spec.connection.join(&spec.nodes)
                ),
            }),
        }
    }

    async fn page(
        &self,
        number: u32,
        cut: Slice,
        errors: Vec<GraphQlError>,
        next: Option<Cursor>,
        split: &Split,
    ) -> Result<Page, FetchError> {
        let spec = &self.module.fetch;
        let place = |index: usize| format!("{}.{index}", spec.connection.join(&spec.nodes));
        let mut holes: Vec<Hole> = Vec::new();
        let mut records = Vec::with_capacity(cut.records.len());
        let mut indices = Vec::with_capacity(cut.records.len());
        for (index, json) in cut.records {
            let source_id = source_id(&json, &spec.id).unwrap_or_else(|made| {
                holes.push(Hole {
                    path: place(index),
                    source_id: Some(made.clone()),
                    message: "The record has no id; a name was made from its content.".to_owned(),
                });
                made
            });
            records.push(Record { source_id, json });
            indices.push(index);
        }
        for index in cut.nulls {
            holes.push(Hole {
                path: place(index),
                source_id: None,
                message: "The source sent null in place of a record.".to_owned(),
            });
        }
        for error in errors {
            let index = error
                .path
                .split('.')
                .find_map(|segment| segment.parse::<usize>().ok());
            let hit = index.and_then(|index| indices.iter().position(|held| *held == index));
            holes.push(Hole {
                source_id: hit.map(|at| records[at].source_id.clone()),
                path: error.path,
                message: format!("The source failed here: {}", error.message),
            });
        }
        if let Some(part) = &self.part {
            records = part.own(records).map_err(|problem| FetchError::Shape {
                attempt: self.attempt(number),
                problem,
            })?;
        }
        nested::complete(&self.source, &self.module, split, &mut records, &mut holes).await?;
        let (total_count, bytes) = (cut.total, cut.bytes);
        Ok(Page {
            number,
            records,
            next,
            total_count,
            holes,
            bytes,
        })
    }
}

/// What makes two steps the same: the cursor, or for numbered pages the rows themselves.
fn place_of(style: Style, following: Option<&Position>, cut: &Slice) -> [u8; 32] {
    let mut hash = Sha256::new();
    match (style, following) {
        (Style::Relay, Some(Position::After(cursor))) => hash.update(cursor),
        _ => {
            for (_, json) in &cut.records {
                hash.update(json);
            }
        }
    }
    hash.finalize().into()
}
