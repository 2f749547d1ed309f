//! Whose word stands where several records are one entity.
//!
//! Per column the word of one record wins: of a record that lives before one that is gone from its source, then by the declared
//! trust in its module, then the more recent, then the one that says more, then by name. That depends on the records alone, so
//! the order in which they come never matters. Ownership comes before all of it: the winning word meets production in the same
//! merge as the word of a single record.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use staging::database::query_as;

use crate::merge::{Owner, is_empty};

/// Which words win, as a module declares it for its table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivorship {
    /// The modules of the table, the most trusted first; those that are not named come after all that are.
    pub trust: Vec<String>,
    /// The column that says when a record was last changed at its source.
    #[serde(default)]
    pub recency: Option<String>,
}

/// What one record of an entity has said.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Voice {
    pub(crate) entity_id: String,
    pub(crate) source: String,
    pub(crate) module: String,
    pub(crate) source_id: String,
    pub(crate) gone: bool,
    #[sqlx(json)]
    pub(crate) base: Map<String, Value>,
}

impl Voice {
    /// Whether it is the voice of this record.
    pub(crate) fn is_of(&self, source: &str, module: &str, source_id: &str) -> bool {
        self.source == source && self.module == module && self.source_id == source_id
    }
}

impl Survivorship {
    /// The words that win, column by column; the lists of a column owned by `append` are put together.
    pub(crate) fn combined<'v>(
        &self,
        voices: impl IntoIterator<Item = &'v Voice>,
        owner: impl Fn(&str) -> Owner,
    ) -> Map<String, Value> {
        let mut voices: Vec<&Voice> = voices.into_iter().collect();
        voices.sort_by(|one, other| self.order(one, other));
        let mut combined: Map<String, Value> = Map::new();
        for (column, value) in voices.iter().flat_map(|voice| &voice.base) {
            match combined.get_mut(column) {
                None => {
                    combined.insert(column.clone(), value.clone());
                }
                Some(stands) if is_empty(stands) && (stands.is_null() || !is_empty(value)) => {
                    stands.clone_from(value);
                }
                Some(Value::Array(stands)) if owner(column) == Owner::Append => {
                    let items = value.as_array().into_iter().flatten();
                    let new: Vec<Value> = items
                        .filter(|item| !stands.contains(item))
                        .cloned()
                        .collect();
                    stands.extend(new);
                }
                Some(_) => {}
            }
        }
        combined
    }

    /// The voice whose word wins comes first.
    fn order(&self, one: &Voice, other: &Voice) -> Ordering {
        let trust = |voice: &Voice| {
            let place = self.trust.iter().position(|name| *name == voice.module);
            place.unwrap_or(self.trust.len())
        };
        let said = |voice: &Voice| Reverse(voice.base.values().filter(|v| !is_empty(v)).count());
        (one.gone, trust(one))
            .cmp(&(other.gone, trust(other)))
            .then_with(|| later(self.when(other), self.when(one)))
            .then_with(|| said(one).cmp(&said(other)))
            .then_with(|| {
                (&one.source, &one.module, &one.source_id).cmp(&(
                    &other.source,
                    &other.module,
                    &other.source_id,
                ))
            })
    }

    fn when<'v>(&self, voice: &'v Voice) -> Option<&'v Value> {
        voice.base.get(self.recency.as_ref()?)
    }
}

/// Instants as PostgreSQL writes them in UTC follow each other as texts do; numbers as numbers.
fn later(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (one_number, other_number) => {
            (one_number.is_some(), text(one)).cmp(&(other_number.is_some(), text(other)))
        }
    }
}

/// What all records of these entities have said, by entity.
pub(crate) async fn voices(
    conn: &mut PgConnection,
    entity: &str,
    entity_ids: &[&str],
) -> sqlx::Result<HashMap<String, Vec<Voice>>> {
    let voices: Vec<Voice> = query_as(
        "select i.entity_id, i.source, i.module, i.source_id, i.gone, i.base
         from (select distinct unnest($2::text[]) as entity_id) e
         -- One look-up each, whatever the planner believes of the table's size.
         cross join lateral (select * from prod.identities i
             where i.entity_id = e.entity_id and i.entity = $1 and i.valid_to is null offset 0) i",
    )
    .bind(entity)
    .bind(entity_ids)
    .fetch_all(conn)
    .await?;
    let mut by_entity: HashMap<String, Vec<Voice>> = HashMap::new();
    for voice in voices {
        let of = by_entity.entry(voice.entity_id.clone()).or_default();
        of.push(voice);
    }
    Ok(by_entity)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn voice(module: &str, source_id: &str, gone: bool, base: Value) -> Voice {
        Voice {
            entity_id: "e".into(),
            source: "s".into(),
            module: module.into(),
            source_id: source_id.into(),
            gone,
            base: base.as_object().cloned().unwrap_or_default(),
        }
    }

    fn rule() -> Survivorship {
        Survivorship {
            trust: vec!["first".into(), "second".into()],
            recency: Some("at".into()),
        }
    }

    fn owner(column: &str) -> Owner {
        match column {
            "tags" => Owner::Append,
            _ => Owner::Merge,
        }
    }

    #[test]
    fn whose_word_wins() {
        let cases = [
            (
                "one alone",
                vec![voice("second", "a", false, json!({ "x": 1 }))],
                json!(1),
            ),
            (
                "trust before recency",
                vec![
                    voice("second", "a", false, json!({ "x": 1, "at": "2026-05-02" })),
                    voice("first", "b", false, json!({ "x": 2, "at": "2026-05-01" })),
                ],
                json!(2),
            ),
            (
                "who is named before who is not",
                vec![
                    voice("else", "a", false, json!({ "x": 1, "at": "2026-05-02" })),
                    voice("second", "b", false, json!({ "x": 2 })),
                ],
                json!(2),
            ),
            (
                "the more recent of two ids",
                vec![
                    voice(
                        "first",
                        "a",
                        false,
                        json!({ "x": 1, "at": "2026-05-01T00:00:00+00:00" }),
                    ),
                    voice(
                        "first",
                        "b",
                        false,
                        json!({ "x": 2, "at": "2026-05-01T00:00:00.5+00:00" }),
                    ),
                ],
                json!(2),
            ),
            (
                "a time before none",
                vec![
                    voice("first", "a", false, json!({ "x": 1, "y": 1, "z": 1 })),
                    voice("first", "b", false, json!({ "x": 2, "at": 5 })),
                ],
                json!(2),
            ),
            (
                "the one that says more",
                vec![
                    voice("first", "a", false, json!({ "x": 1, "y": "" })),
                    voice("first", "b", false, json!({ "x": 2, "y": 7 })),
                ],
                json!(2),
            ),
            (
                "an empty word is none",
                vec![
                    voice("first", "a", false, json!({ "x": null })),
                    voice("second", "b", false, json!({ "x": 2 })),
                ],
                json!(2),
            ),
            (
                "who lives before who is gone",
                vec![
                    voice("first", "a", true, json!({ "x": 1 })),
                    voice("second", "b", false, json!({ "x": 2 })),
                ],
                json!(2),
            ),
        ];
        for (label, voices, expected) in cases {
            let won = rule().combined(&voices, owner);
            assert_eq!(won.get("x"), Some(&expected), "{label}");
        }
    }

    fn any_voice() -> impl Strategy<Value = Voice> {
        let word = || {
            prop::option::of(prop::sample::select(vec![
                json!(""),
                json!("a"),
                json!("b"),
                Value::Null,
            ]))
        };
        let module = prop::sample::select(vec!["first", "second", "third"]);
        let at = prop::option::of(prop::sample::select(vec![
            json!(1),
            json!(2.5),
            json!("2026"),
            Value::Null,
        ]));
        let tags = prop::collection::vec(prop::sample::select(vec!["p", "q", "r"]), 0..3);
        (module, 0_u8..5, any::<bool>(), word(), word(), at, tags).prop_map(
            |(module, id, gone, x, y, at, tags)| {
                let mut base = Map::new();
                base.insert("tags".into(), json!(tags));
                let columns = [("x", x), ("y", y), ("at", at)];
                base.extend(
                    columns
                        .into_iter()
                        .filter_map(|(name, word)| Some((name.to_owned(), word?))),
                );
                voice(module, &id.to_string(), gone, Value::Object(base))
            },
        )
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            mut voices in prop::collection::vec(any_voice(), 1..6),
            turn in 0_usize..6,
        ) {
            voices.sort_by(|a, b| (&a.module, &a.source_id).cmp(&(&b.module, &b.source_id)));
            voices.dedup_by(|a, b| a.module == b.module && a.source_id == b.source_id);
            let won = rule().combined(&voices, owner);
            let mut turned = voices.clone();
            turned.reverse();
            let places = turned.len();
            turned.rotate_left(turn % places);
            prop_assert_eq!(&rule().combined(&turned, owner), &won);
            // Who says nothing new changes nothing, and a word that won stays with one who said it.
            for (column, value) in &won {
                let said = voices.iter().any(|voice| voice.base.get(column) == Some(value));
                prop_assert!(said || column == "tags", "{} was said by nobody", column);
            }
        }
    }
}
