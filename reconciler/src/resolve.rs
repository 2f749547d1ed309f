//! `resolve`: the row of an entity from what its records claim and what people decided. Pure and total; the
//! order in which records arrived or overrides were set never matters.
//!
//! Values are in PostgreSQL's own JSON rendering of the column types. Absent is a key that is not there.

use serde_json::{Map, Value};

use sha2::{Digest, Sha256};

use crate::equality::{canonical, holds, same};
use crate::overrides::{Kind, Override, PRESENCE, State};
use crate::ownership::Owner;
use crate::survivorship::{Claim, combine};
use crate::table_rules::TableRules;

/// Whether a row stands in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It stands.
    Live,
    /// It stands, flagged and empty: a person or a restore took it out, and a child needs it since.
    Placeholder,
    /// It stands, marked as deleted.
    Deleted,
    /// It is not there.
    Absent,
}

impl Presence {
    /// As the value of the cell [`PRESENCE`].
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Placeholder => "placeholder",
            Self::Deleted => "deleted",
            Self::Absent => "absent",
        }
    }

    /// From the value of an override.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        [Self::Live, Self::Placeholder, Self::Deleted, Self::Absent]
            .into_iter()
            .find(|presence| presence.as_str() == text)
    }

    /// Of a row as it was found.
    pub(crate) fn of(row: Option<&Map<String, Value>>) -> Self {
        match row.map(|row| row.get("deleted_at").is_none_or(Value::is_null)) {
            None => Self::Absent,
            Some(true) => Self::Live,
            Some(false) => Self::Deleted,
        }
    }
}

/// What the claims of an entity come to, before any override.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claimed {
    /// The values that win, by column; a column that no claim names is not there.
    pub(crate) columns: Map<String, Value>,
    /// `Live` while a record of it lives, `Deleted` once all are gone, `Absent` where there is none.
    pub(crate) presence: Presence,
}

impl Claimed {
    /// What these claims come to. Those of records that are gone count only where no other is left.
    pub(crate) fn of(table: &TableRules<'_>, claims: &[Claim]) -> Self {
        let lives = claims.iter().any(|claim| !claim.gone);
        let heard = claims.iter().filter(|claim| claim.gone != lives);
        Self {
            columns: combine(table, heard),
            presence: match lives {
                _ if claims.is_empty() => Presence::Absent,
                true => Presence::Live,
                false => Presence::Deleted,
            },
        }
    }

    /// What an override of a cell is set against.
    pub(crate) fn against(&self, cell: &str) -> Option<Value> {
        match cell {
            PRESENCE => {
                let mut digest = Sha256::new();
                digest.update(self.presence.as_str());
                digest.update(canonical(&self.columns));
                Some(format!("sha256:{}", hex::encode(digest.finalize())).into())
            }
            column => self.columns.get(column).cloned(),
        }
    }
}

/// A row as it resolves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    /// Whether it stands.
    pub(crate) presence: Presence,
    /// The value of every column of the table's contracts.
    pub(crate) columns: Map<String, Value>,
    /// The state of each override, in the order they were given.
    pub(crate) states: Vec<State>,
}

/// The row that claims and overrides come to.
pub(crate) fn resolve(
    table: &TableRules<'_>,
    claimed: &Claimed,
    overrides: &[Override],
) -> Resolved {
    let mut columns = Map::new();
    for column in &table.columns {
        let value = claimed.columns.get(column).cloned().unwrap_or_default();
        columns.insert(column.clone(), value);
    }
    let mut presence = claimed.presence;
    let states = overrides.iter().map(|set| {
        if set.state == State::Released {
            return State::Released;
        }
        if set.cell == PRESENCE {
            let state = presence_state(claimed, set);
            if state != State::Released {
                presence = Presence::parse(&set.value).unwrap_or(presence);
            }
            return state;
        }
        let (value, state) = cell(table, claimed.columns.get(&set.cell), set);
        if columns.contains_key(&set.cell) {
            columns.insert(set.cell.clone(), value);
        }
        state
    });
    let states = states.collect();
    if presence == Presence::Placeholder {
        columns.values_mut().for_each(|value| *value = Value::Null);
    }
    Resolved {
        presence,
        columns,
        states,
    }
}

/// A restored row gives way as soon as anything of its claims changes, and so does one that a person took out of the
/// table: it returns with the next change of its record. One that a person marked as deleted, or revived, stays so.
fn presence_state(claimed: &Claimed, set: &Override) -> State {
    let moved = !same_or_none(set.against.as_ref(), claimed.against(PRESENCE).as_ref());
    let is_out = [Presence::Absent, Presence::Placeholder].map(Presence::as_str);
    let gives_way =
        set.kind == Kind::Restore || set.value.as_str().is_some_and(|v| is_out.contains(&v));
    match (gives_way, moved) {
        _ if set.value.as_str() == Some(claimed.presence.as_str()) => State::Released,
        (_, false) => State::Holds,
        (true, true) => State::Released,
        (false, true) => State::Conflict,
    }
}

/// The value of an overridden cell and the state of its override.
fn cell(table: &TableRules<'_>, claim: Option<&Value>, set: &Override) -> (Value, State) {
    let claimed = || claim.cloned().unwrap_or_default();
    let moved = !same_or_none(set.against.as_ref(), claim);
    let owner = table.ownership(&set.cell).own;
    match (owner, set.kind) {
        (Owner::Local, _) => (set.value.clone(), State::Holds),
        (Owner::Append, Kind::Manual) => match merged_list(set, claim) {
            Some(list) if moved && claim.is_some_and(|claim| same(claim, &list)) => {
                (claimed(), State::Released)
            }
            Some(list) => (list, State::Holds),
            None => (set.value.clone(), State::Holds),
        },
        _ if !moved => (set.value.clone(), State::Holds),
        (Owner::Merge, Kind::Manual) if !same(&set.value, &claimed()) => {
            (set.value.clone(), State::Conflict)
        }
        _ => (claimed(), State::Released),
    }
}

/// The items that people left or added, and those that the sources have added since.
fn merged_list(set: &Override, claim: Option<&Value>) -> Option<Value> {
    let ours = items(Some(&set.value))?;
    let (before, now) = (items(set.against.as_ref())?, items(claim)?);
    let kept = ours
        .iter()
        .filter(|item| holds(now, item) || !holds(before, item));
    let come = now
        .iter()
        .filter(|item| !holds(ours, item) && !holds(before, item));
    Some(Value::Array(kept.chain(come).cloned().collect()))
}

/// The items of a list; none where nothing stands, `None` where something else does.
fn items(value: Option<&Value>) -> Option<&[Value]> {
    match value {
        None | Some(Value::Null) => Some(&[]),
        Some(Value::Array(items)) => Some(items),
        Some(_) => None,
    }
}

/// Whether two values are the same, where absent is the same as null: production knows no difference.
pub(crate) fn same_or_none(one: Option<&Value>, other: Option<&Value>) -> bool {
    same(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
}

/// What an override set now would be set against. Items that people removed earlier, and that the sources do
/// not name at this moment, stay removed.
pub(crate) fn against_now(
    claimed: &Claimed,
    cell: &str,
    before: Option<&Override>,
) -> Option<Value> {
    let now = claimed.against(cell);
    let removed = before.and_then(|set| {
        let (value, against) = (set.value.as_array()?, set.against.as_ref()?.as_array()?);
        let removed = against.iter().filter(|item| !holds(value, item));
        Some(removed.cloned().collect::<Vec<_>>())
    });
    match (now, removed) {
        (Some(Value::Array(mut items)), Some(removed)) => {
            let new: Vec<Value> = removed
                .into_iter()
                .filter(|item| !holds(&items, item))
                .collect();
            items.extend(new);
            Some(Value::Array(items))
        }
        (now, _) => now,
    }
}

#[cfg(test)]
mod tests;
