//! `resolve`: the row of an entity from what its records claim and what people decided. Pure and total; the
//! order in which records arrived or overrides were set never matters.
//!
//! Values are in PostgreSQL's own JSON rendering of the column types. Absent is a key that is not there.

use serde_json::{Map, Value};

use sha2::{Digest, Sha256};

use crate::equality::{canonical, holds, same};
use crate::identities::Claim;
use crate::overrides::{Kind, Override, PRESENCE, State};
use crate::ownership::{Owner, is_empty};
use crate::survivorship::combine;
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
    /// Where there are several claims, what each of them says.
    each: Vec<Map<String, Value>>,
}

impl Claimed {
    /// Whether claims that count say different things about a column.
    fn disagree(&self, column: &str) -> bool {
        let said = self.each.iter().filter_map(|claim| claim.get(column));
        let mut said = said.filter(|value| !is_empty(value));
        let first = said.next();
        said.any(|value| first.is_some_and(|first| !same(first, value)))
    }

    /// Whether a value is what one of several claims says: it won under an order that the modules declared
    /// before.
    pub(crate) fn is_claimed_by_another(&self, column: &str, value: &Value) -> bool {
        let mut each = self.each.iter();
        each.any(|claim| claim.get(column).is_some_and(|said| same(said, value)))
    }

    /// What these claims come to. Those of records that are gone count only where no other is left.
    pub(crate) fn of(table: &TableRules<'_>, claims: &[Claim]) -> Self {
        let lives = claims.iter().any(|claim| !claim.gone);
        let heard: Vec<&Claim> = claims.iter().filter(|claim| claim.gone != lives).collect();
        Self {
            columns: combine(table, heard.iter().copied()),
            presence: match lives {
                _ if claims.is_empty() => Presence::Absent,
                true => Presence::Live,
                false => Presence::Deleted,
            },
            each: match &heard[..] {
                [_, _, ..] => heard.iter().map(|claim| claim.columns.clone()).collect(),
                _ => Vec::new(),
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
        let (value, state) = cell(table, claimed, set);
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

/// A restored row gives way as soon as anything of its claims changes, and so does one that a person took out
/// of the table: it returns with the next change of its record. One that a person marked as deleted, or
/// revived, stays so.
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
fn cell(table: &TableRules<'_>, claims: &Claimed, set: &Override) -> (Value, State) {
    let claim = claims.columns.get(&set.cell);
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
        // While the records disagree among themselves, a person's choice between them stands.
        (Owner::Merge, Kind::Manual) if claims.disagree(&set.cell) => {
            (set.value.clone(), State::Holds)
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
    value: &Value,
    before: Option<&Override>,
) -> Option<Value> {
    let now = claimed.against(cell);
    let removed = before.and_then(|set| {
        let (before, against) = (set.value.as_array()?, set.against.as_ref()?.as_array()?);
        let removed = against.iter().filter(|item| !holds(before, item));
        // What somebody has put back is removed no more.
        let removed = removed.filter(|item| !value.as_array().is_some_and(|all| holds(all, item)));
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
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::definition::Survivorship;
    use crate::identities::Method;
    use crate::overrides::{Authors, edits};
    use crate::ownership::Ownership;

    const fn own(own: Owner) -> Ownership {
        Ownership { own, erase: false }
    }

    fn table(owner: Owner, survivorship: Option<&Survivorship>) -> TableRules<'_> {
        let columns = ["c", "at", "tags"].map(str::to_owned);
        let ownership = [("c", owner), ("tags", Owner::Append)];
        TableRules {
            entity: "things",
            columns: columns.to_vec(),
            ownership: BTreeMap::from(ownership.map(|(name, owner)| (name.to_owned(), own(owner)))),
            survivorship,
        }
    }

    fn claim(source_id: &str, columns: Value) -> Claim {
        Claim {
            source: "s".into(),
            module: "m".into(),
            source_id: source_id.into(),
            method: Method::New,
            derived: false,
            gone: false,
            columns: object(columns),
        }
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn column(value: &Value) -> Map<String, Value> {
        match value == &json!("absent") {
            true => Map::new(),
            false => object(json!({ "c": value })),
        }
    }

    /// What becomes of a cell that stood as `stands` over the claim `before`, once the claim is `now`: its
    /// value, and the state of the override that the edit came to, if there was one.
    fn moved(owner: Owner, before: &Value, stands: &Value, now: &Value) -> (Value, Option<State>) {
        let table = table(owner, None);
        let claimed = |value: &Value| Claimed::of(&table, &[claim("a", column(value).into())]);
        let mut overrides = Vec::new();
        let found = object(json!({ "c": stands }));
        edits(
            &table,
            "e",
            &claimed(before),
            &mut overrides,
            Some(&found),
            &Authors::default(),
            false,
        );
        let resolved = resolve(&table, &claimed(now), &overrides);
        (
            resolved.columns["c"].clone(),
            resolved.states.first().copied(),
        )
    }

    #[test]
    fn each_owner_resolves_as_promised() {
        use Owner::{Append, Local, Merge, Source};
        use State::{Conflict, Holds, Released};
        let n = || json!(null);
        let cases = [
            (
                "source follows",
                Source,
                json!("a"),
                json!("a"),
                json!("b"),
                json!("b"),
                None,
            ),
            (
                "source: an edit gives way to a change",
                Source,
                json!("a"),
                json!("x"),
                json!("b"),
                json!("b"),
                Some(Released),
            ),
            (
                "source: an edit holds until then",
                Source,
                json!("a"),
                json!("x"),
                json!("a"),
                json!("x"),
                Some(Holds),
            ),
            (
                "merge takes a new value",
                Merge,
                json!("a"),
                json!("a"),
                json!("b"),
                json!("b"),
                None,
            ),
            (
                "merge keeps an edit",
                Merge,
                json!("a"),
                json!("x"),
                json!("a"),
                json!("x"),
                Some(Holds),
            ),
            (
                "merge keeps an erasure by hand",
                Merge,
                json!("a"),
                n(),
                json!("a"),
                n(),
                Some(Holds),
            ),
            (
                "merge: both moved",
                Merge,
                json!("a"),
                json!("x"),
                json!("b"),
                json!("x"),
                Some(Conflict),
            ),
            (
                "merge: both moved alike",
                Merge,
                json!("a"),
                json!("b"),
                json!("b"),
                json!("b"),
                Some(Released),
            ),
            (
                "merge: the claim is withdrawn",
                Merge,
                json!("a"),
                json!("a"),
                json!("absent"),
                n(),
                None,
            ),
            (
                "merge: the claim under an edit is withdrawn",
                Merge,
                json!("a"),
                json!("x"),
                json!("absent"),
                json!("x"),
                Some(Conflict),
            ),
            (
                "merge: the first claim fills",
                Merge,
                json!("absent"),
                n(),
                json!("a"),
                json!("a"),
                None,
            ),
            (
                "merge: the first claim meets a value",
                Merge,
                json!("absent"),
                json!("x"),
                json!("a"),
                json!("x"),
                Some(Conflict),
            ),
            (
                "merge: the first claim meets its like",
                Merge,
                json!("absent"),
                json!("a"),
                json!("a"),
                json!("a"),
                Some(Released),
            ),
            (
                "a number in another spelling is no edit",
                Merge,
                json!(1.5),
                serde_json::from_str("1.500").expect("a number"),
                json!(2),
                json!(2),
                None,
            ),
            (
                "local always holds",
                Local,
                json!("a"),
                json!("x"),
                json!("b"),
                json!("x"),
                Some(Holds),
            ),
            (
                "append adds",
                Append,
                json!(["a"]),
                json!(["a", "h"]),
                json!(["a", "b"]),
                json!(["a", "h", "b"]),
                Some(Holds),
            ),
            (
                "append: removed by hand",
                Append,
                json!(["a", "b"]),
                json!(["b"]),
                json!(["a", "b"]),
                json!(["b"]),
                Some(Holds),
            ),
            (
                "append: removed at the source",
                Append,
                json!(["a", "b"]),
                json!(["a", "b"]),
                json!(["b"]),
                json!(["b"]),
                None,
            ),
            (
                "append: removed at the source beside one by hand",
                Append,
                json!(["a", "b"]),
                json!(["a", "b", "h"]),
                json!(["b"]),
                json!(["b", "h"]),
                Some(Holds),
            ),
            (
                "append: what was removed by hand comes again",
                Append,
                json!(["a", "b"]),
                json!(["b"]),
                json!(["b", "c", "a"]),
                json!(["b", "c"]),
                Some(Holds),
            ),
            (
                "false is a value",
                Source,
                json!(true),
                json!(true),
                json!(false),
                json!(false),
                None,
            ),
            (
                "zero is a value",
                Source,
                json!(1),
                json!(1),
                json!(0),
                json!(0),
                None,
            ),
        ];
        for (label, owner, before, stands, now, value, state) in cases {
            assert_eq!(
                moved(owner, &before, &stands, &now),
                (value, state),
                "{label}"
            );
        }
    }

    fn restored(cell: &str, value: Value, claimed: &Claimed) -> Override {
        Override {
            cell: cell.into(),
            against: claimed.against(cell),
            value,
            kind: Kind::Restore,
            author: "tester".into(),
            reason: "back".into(),
            set_at: None,
            state: State::Holds,
            carried_from: None,
        }
    }

    #[test]
    fn a_restored_cell_holds_until_it_changes_at_its_source() {
        let table = table(Owner::Merge, None);
        let of =
            |c: &str, at: &str| Claimed::of(&table, &[claim("a", json!({ "c": c, "at": at }))]);
        let overrides = [
            restored("c", json!("old"), &of("a", "1")),
            restored(PRESENCE, json!("deleted"), &of("a", "1")),
        ];
        let same = resolve(&table, &of("a", "1"), &overrides);
        assert_eq!(
            (&same.columns["c"], same.presence),
            (&json!("old"), Presence::Deleted)
        );
        let another = resolve(&table, &of("a", "2"), &overrides);
        assert_eq!(another.columns["c"], "old", "another column changed");
        assert_eq!(
            another.presence,
            Presence::Live,
            "the record changed, so the row is back"
        );
        let changed = resolve(&table, &of("b", "1"), &overrides);
        assert_eq!(changed.columns["c"], "b");
        assert_eq!(changed.states, [State::Released, State::Released]);
    }

    #[test]
    fn a_record_that_is_gone_takes_its_values_with_it() {
        let table = table(Owner::Merge, None);
        let joined = Claim {
            method: Method::ExactKey,
            ..claim("b", json!({ "c": "second" }))
        };
        let first = claim("a", json!({ "c": "first", "at": "1" }));
        let both = Claimed::of(&table, &[joined.clone(), first.clone()]);
        assert_eq!(
            Value::from(both.columns),
            json!({ "c": "first", "at": "1" })
        );
        let left = Claimed::of(
            &table,
            &[
                joined.clone(),
                Claim {
                    gone: true,
                    ..first.clone()
                },
            ],
        );
        assert_eq!(Value::from(left.columns), json!({ "c": "second" }));
        let none = [joined, first].map(|claim| Claim {
            gone: true,
            ..claim
        });
        let none = Claimed::of(&table, &none);
        assert_eq!(
            (none.presence, &none.columns["c"]),
            (Presence::Deleted, &json!("first"))
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![
            json!("a"),
            json!("b"),
            json!(""),
            Value::Null,
            json!(1),
            json!(1.0),
        ])
    }

    fn any_list() -> impl Strategy<Value = Value> {
        prop::collection::vec(prop::sample::select(vec!["p", "q", "r"]), 0..3)
            .prop_map(|all| json!(all))
    }

    fn any_claim() -> impl Strategy<Value = Claim> {
        let method = prop::sample::select(vec![Method::New, Method::ExactKey, Method::Placeholder]);
        let module = prop::sample::select(vec!["first", "second", "third"]);
        let columns = (any_value(), prop::option::of(any_value()), any_list());
        (module, 0_u8..5, method, any::<(bool, bool)>(), columns).prop_map(
            |(module, id, method, (gone, derived), (c, at, tags))| {
                let mut columns = object(json!({ "c": c, "tags": tags }));
                columns.extend(at.map(|at| ("at".to_owned(), at)));
                Claim {
                    module: module.into(),
                    method,
                    gone,
                    derived,
                    ..claim(&id.to_string(), columns.into())
                }
            },
        )
    }

    fn any_override() -> impl Strategy<Value = Override> {
        let cell = prop::sample::select(vec!["c", "at", "tags", PRESENCE]);
        let kind = prop::sample::select(vec![Kind::Manual, Kind::Restore]);
        (
            cell,
            kind,
            any_value(),
            any_list(),
            prop::option::of(any_value()),
            any_list(),
            0_usize..3,
        )
            .prop_map(|(cell, kind, value, list, against, before, presence)| {
                let (value, against) = match cell {
                    "tags" => (list, Some(before)),
                    PRESENCE => (json!(["live", "deleted", "absent"][presence]), against),
                    _ => (value, against),
                };
                Override {
                    kind,
                    against,
                    ..restored(
                        cell,
                        value,
                        &Claimed {
                            columns: Map::new(),
                            presence: Presence::Live,
                            each: Vec::new(),
                        },
                    )
                }
            })
    }

    fn any_owner() -> impl Strategy<Value = Owner> {
        prop::sample::select(vec![Owner::Source, Owner::Merge, Owner::Local])
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(
            claims in prop::collection::vec(any_claim(), 0..6),
            overrides in prop::collection::vec(any_override(), 0..4),
            turn in 0_usize..6,
            owner in any_owner(),
            declared in any::<bool>(),
        ) {
            let rule = Survivorship { trust: vec!["first".into(), "second".into()], recency: Some("at".into()) };
            let table = table(owner, declared.then_some(&rule));
            let mut claims = claims;
            claims.sort_by(|a, b| (&a.module, &a.source_id).cmp(&(&b.module, &b.source_id)));
            claims.dedup_by(|a, b| a.module == b.module && a.source_id == b.source_id);
            let mut overrides = overrides;
            overrides.sort_by(|a, b| a.cell.cmp(&b.cell));
            overrides.dedup_by(|a, b| a.cell == b.cell);
            let row = resolve(&table, &Claimed::of(&table, &claims), &overrides);
            let (mut turned, mut set) = (claims.clone(), overrides.clone());
            turned.reverse();
            turned.rotate_left(turn % claims.len().max(1));
            set.reverse();
            let again = resolve(&table, &Claimed::of(&table, &turned), &set);
            prop_assert_eq!(&again.columns, &row.columns);
            prop_assert_eq!(again.presence, row.presence);
            prop_assert_eq!(row.columns.len(), table.columns.len(), "every column has a value");
        }

        #[test]
        fn a_row_that_is_taken_up_resolves_to_what_stands(
            claims in prop::collection::vec(any_claim(), 1..4),
            (c, at, tags) in (any_value(), any_value(), any_list()),
            before in prop::collection::vec(any_override(), 0..3),
            owner in any_owner(),
        ) {
            let table = table(owner, None);
            let claimed = Claimed::of(&table, &claims);
            let mut overrides = before;
            overrides.sort_by(|a, b| a.cell.cmp(&b.cell));
            overrides.dedup_by(|a, b| a.cell == b.cell);
            // As they are after a run: what gave way is gone.
            let states = resolve(&table, &claimed, &overrides).states;
            let mut states = states.iter();
            overrides.retain(|_| states.next() != Some(&State::Released));
            let found = object(json!({ "c": c, "at": at, "tags": tags }));
            edits(&table, "e", &claimed, &mut overrides, Some(&found), &Authors::default(), false);
            let row = resolve(&table, &claimed, &overrides);
            for (column, stands) in &found {
                prop_assert!(same(stands, &row.columns[column]), "{} is {} and was {}", column, row.columns[column], stands);
            }
            prop_assert_eq!(row.presence, Presence::Live);
        }
    }
}
