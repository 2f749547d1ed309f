//! What records say of a row: before, and now.

use std::collections::HashMap;
use std::mem::take;

use serde_json::{Map, Value};

use super::meeting::source_columns;
use super::wave::Arrival;
use crate::definition::Definition;
use crate::merge::{Merged, Owner, is_empty, merge};
use crate::survivorship::{Survivorship, Voice};

/// What is merged into a row.
pub(super) struct Words {
    /// What was said of it before.
    pub(super) before: Map<String, Value>,
    /// What is said of it now.
    pub(super) now: Map<String, Value>,
    /// What the record itself has said so far.
    pub(super) next_base: Map<String, Value>,
    /// Whether this may change what stands, and not only fill what is empty.
    pub(super) leads: bool,
    /// Where the table has a survivorship, what all records of the entity say.
    voices: Vec<Voice>,
}

impl Words {
    /// Takes the words out of an arrival. Where the table has a survivorship, all records of the entity speak, and the words
    /// that win are merged; else this record alone does, after what was said `before` it.
    pub(super) fn of(
        definition: &Definition,
        arrival: &mut Arrival<'_>,
        before: Map<String, Value>,
        voices: Option<Vec<Voice>>,
        leads: bool,
    ) -> Self {
        let theirs = source_columns(take(&mut arrival.shaped.row.0));
        if let Some(rule) = &definition.survivorship {
            return Self::of_all(
                definition,
                rule,
                arrival,
                voices.unwrap_or_default(),
                &theirs,
            );
        }
        Self {
            next_base: said(definition, &before, &theirs),
            before,
            now: theirs,
            leads,
            voices: Vec::new(),
        }
    }

    fn of_all(
        definition: &Definition,
        rule: &Survivorship,
        arrival: &Arrival<'_>,
        mut voices: Vec<Voice>,
        theirs: &Map<String, Value>,
    ) -> Self {
        let owner = |column: &str| definition.ownership(column).own;
        let before = rule.combined(&voices, owner);
        let source_id = &arrival.claim.source_id;
        let is_own =
            |voice: &Voice| voice.is_of(&definition.module.source, definition.name(), source_id);
        let place = voices.iter().position(is_own).unwrap_or_else(|| {
            voices.push(Voice {
                entity_id: arrival.entity_id.clone(),
                source: definition.module.source.clone(),
                module: definition.name().to_owned(),
                source_id: source_id.clone(),
                gone: false,
                base: Map::new(),
            });
            voices.len() - 1
        });
        let own = &mut voices[place];
        let next_base = said(definition, &own.base, theirs);
        own.gone = false;
        own.base.clone_from(&next_base);
        // An empty word is not kept, but it is heard where nobody says more.
        for (column, value) in theirs.iter().filter(|(_, value)| is_empty(value)) {
            own.base.entry(column).or_insert_with(|| value.clone());
        }
        Self {
            before,
            now: rule.combined(&voices, owner),
            next_base,
            leads: true,
            voices,
        }
    }

    /// Columns in which the word of a record stands that does not win: it won under another order, or somebody took it by hand.
    pub(super) fn overruled(
        &self,
        definition: &Definition,
        ours: &Map<String, Value>,
        returned: Option<&Map<String, Value>>,
    ) -> Vec<String> {
        let columns = self.now.iter().filter(|(column, now)| {
            let is_merged = definition.ownership(column).own == Owner::Merge;
            ours.get(*column).is_some_and(|stands| {
                let is_said = |voice: &Voice| voice.base.get(*column) == Some(stands);
                let is_news = stands != *now && self.before.get(*column) != Some(stands);
                let is_returned =
                    || returned.is_some_and(|returned| returned.get(*column) == Some(stands));
                is_merged
                    && is_news
                    && !is_empty(stands)
                    && !is_returned()
                    && self.voices.iter().any(is_said)
            })
        });
        columns.map(|(column, _)| column.clone()).collect()
    }

    /// Takes what stands in a column for what was said before, so that what is said now replaces it.
    pub(super) fn give_way(&mut self, column: String, stands: Value) {
        self.before.insert(column, stands);
    }

    /// A cell that stands as a rollback left it stays so while the source repeats itself, and gives way once
    /// the source says something new: nobody wrote it by hand, so there is no conflict.
    pub(super) fn heed_returned(
        &mut self,
        definition: &Definition,
        ours: &Map<String, Value>,
        returned: &Map<String, Value>,
    ) {
        let base = &mut self.before;
        self.now.retain(|column, value| {
            let Some(stands) = ours
                .get(column)
                .filter(|stands| returned.get(column) == Some(stands))
            else {
                return true;
            };
            let repeated = base.get(column) == Some(value);
            let own = definition.ownership(column).own;
            if own == Owner::Merge && !repeated && !is_empty(value) {
                base.insert(column.clone(), stands.clone());
            }
            own != Owner::Source || !repeated
        });
    }

    /// Merges into a row what its records say once those of these ids have left their source; says whether that changes it.
    /// `voices` is what its records have said, the gone ones marked.
    pub(super) fn without(
        definition: &Definition,
        voices: &[Voice],
        left: &HashMap<String, String>,
        ours: &mut Map<String, Value>,
    ) -> bool {
        let Some(rule) = &definition.survivorship else {
            return false;
        };
        let owner = |column: &str| definition.ownership(column).own;
        let now = rule.combined(voices, owner);
        let leaves = |voice: &Voice| {
            left.contains_key(&voice.source_id)
                && voice.is_of(
                    &definition.module.source,
                    definition.name(),
                    &voice.source_id,
                )
        };
        let alive: Vec<Voice> = voices
            .iter()
            .map(|voice| Voice {
                gone: voice.gone && !leaves(voice),
                ..voice.clone()
            })
            .collect();
        let before = rule.combined(&alive, owner);
        let rule_of = |column: &str| definition.ownership(column);
        let changes = merge(&before, &now, ours, rule_of, true).changes;
        let changed = !changes.is_empty();
        ours.extend(changes);
        changed
    }

    /// What would depend on the order of arrival alone is settled by what all records say now: the order of a list that several
    /// of them add to, and an empty list or text where nothing stands. What somebody changed by hand is left.
    pub(super) fn settle(
        &self,
        definition: &Definition,
        ours: &Map<String, Value>,
        merged: &mut Merged,
    ) {
        if definition.survivorship.is_none() {
            return;
        }
        for (column, now) in &self.now {
            let stands = ours.get(column).unwrap_or(&Value::Null);
            let before = self.before.get(column).unwrap_or(&Value::Null);
            let items = before.as_array().into_iter().flatten();
            let settles = match definition.ownership(column).own {
                Owner::Local => false,
                Owner::Append if before.is_array() && now.is_array() => {
                    let all = now.as_array().map_or(&[][..], Vec::as_slice);
                    items.into_iter().all(|item| all.contains(item))
                }
                _ => stands.is_null() && is_empty(now),
            };
            if settles && stands == before && now != before {
                merged.changes.insert(column.clone(), now.clone());
            }
        }
    }
}

/// What the source has said so far: an absent or ignored empty value leaves the word before it standing.
fn said(
    definition: &Definition,
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
) -> Map<String, Value> {
    let mut said = base.clone();
    let heard = theirs
        .iter()
        .filter(|(column, value)| !is_empty(value) || definition.ownership(column).erase);
    said.extend(heard.map(|(column, value)| (column.clone(), value.clone())));
    said
}
