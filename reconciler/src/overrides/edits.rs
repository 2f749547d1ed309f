//! What people wrote into a row by hand, as overrides.

use std::collections::HashMap;

use serde_json::{Map, Value};
use sqlx::PgConnection;
use staging::database::{query, query_as};

use super::cell_override::{Kind, Override, PRESENCE, State};
use crate::equality::same;
use crate::resolve::{Claimed, Presence, against_now, resolve, same_or_none};
use crate::table_rules::TableRules;

/// Who an edit is by that nobody saw being made, and why.
const UNKNOWN: (&str, &str) = ("unknown", "The row was found so; nobody saw who wrote it.");

/// A write to production by somebody else than the engine, as the table's trigger saw it.
#[derive(Debug, Clone, sqlx::FromRow)]
struct Seen {
    entity_id: String,
    operation: String,
    cells: Vec<String>,
    author: String,
    application: String,
    edited_at: String,
}

/// Who wrote into rows by hand, as far as the database knows.
#[derive(Debug, Default)]
pub(crate) struct Authors(HashMap<String, Vec<Seen>>);

impl Authors {
    /// Of these rows, what no run has taken up yet.
    pub(crate) async fn of(
        conn: &mut PgConnection,
        entity: &str,
        ids: &[&str],
    ) -> sqlx::Result<Self> {
        let mut by_row: HashMap<String, Vec<Seen>> = HashMap::new();
        let rows: Vec<Seen> = query_as(
            "select e.entity_id, e.operation, e.cells, e.author, e.application, e.edited_at
             from (select distinct unnest($2::text[]) as id) q
             cross join lateral (
                 select entity_id, operation, cells, author, application, to_json(edited_at) #>> '{}' as edited_at, edit_id
                 from history.edits where entity = $1 and entity_id = q.id and not taken offset 0) e
             order by e.edit_id",
        )
        .bind(entity)
        .bind(ids)
        .fetch_all(conn)
        .await?;
        for seen in rows {
            by_row.entry(seen.entity_id.clone()).or_default().push(seen);
        }
        Ok(Self(by_row))
    }

    /// Marks what was seen of these rows as taken up.
    pub(crate) async fn take(
        conn: &mut PgConnection,
        entity: &str,
        ids: &[&str],
    ) -> sqlx::Result<()> {
        query("update history.edits set taken = true where entity = $1 and entity_id = any($2) and not taken")
            .bind(entity)
            .bind(ids)
            .execute(conn)
            .await
            .map(drop)
    }

    /// Marks all that was seen of a table as taken up.
    pub(crate) async fn take_all(conn: &mut PgConnection, entity: &str) -> sqlx::Result<()> {
        query("update history.edits set taken = true where entity = $1 and not taken")
            .bind(entity)
            .execute(conn)
            .await
            .map(drop)
    }

    /// Whether anything was seen of a row.
    pub(crate) fn saw(&self, entity_id: &str) -> bool {
        self.0.contains_key(entity_id)
    }

    /// Whether somebody was seen to write a cell.
    fn saw_cell(&self, entity_id: &str, cell: &str) -> bool {
        let mut of_row = self.0.get(entity_id).into_iter().flatten();
        of_row.any(|seen| seen.cells.iter().any(|name| name == cell))
    }

    /// The last one that wrote a cell, why and when.
    fn of_cell(&self, entity_id: &str, cell: &str) -> (String, String, Option<String>) {
        let is_of = |seen: &&Seen| match cell {
            PRESENCE => seen.operation != "update" || seen.cells.iter().any(|c| c == "deleted_at"),
            column => seen.operation == "insert" || seen.cells.iter().any(|c| c == column),
        };
        let seen = self
            .0
            .get(entity_id)
            .and_then(|all| all.iter().rev().find(is_of));
        match seen {
            Some(seen) => {
                let program = match seen.application.as_str() {
                    "" => String::new(),
                    name => format!(" with {name}"),
                };
                let reason = format!("Written into the table{program}.");
                (seen.author.clone(), reason, Some(seen.edited_at.clone()))
            }
            None => (UNKNOWN.0.to_owned(), UNKNOWN.1.to_owned(), None),
        }
    }
}

/// The overrides that edits by hand come to: for every cell in which the row as `found` differs from what
/// claims and overrides come to. `overrides` is brought up to date; the changes are returned, a released one
/// where somebody put the sources' value back.
pub(crate) fn edits(
    table: &TableRules<'_>,
    entity_id: &str,
    claimed: &Claimed,
    overrides: &mut Vec<Override>,
    found: Option<&Map<String, Value>>,
    authors: &Authors,
    reordered: bool,
) -> Vec<Override> {
    let expected = resolve(table, claimed, overrides);
    let mut changed = Vec::new();
    let mut edit = |cell: &str, value: Value, is_back: bool| {
        let before = overrides.iter().position(|set| set.cell == cell);
        let before = before.map(|place| overrides.remove(place));
        let (author, reason, set_at) = authors.of_cell(entity_id, cell);
        let set = Override {
            cell: cell.to_owned(),
            against: against_now(claimed, cell, &value, before.as_ref()),
            value,
            kind: Kind::Manual,
            author,
            reason,
            set_at,
            state: match is_back {
                true => State::Released,
                false => State::Holds,
            },
            carried_from: None,
        };
        if !is_back {
            overrides.push(set.clone());
        }
        changed.push(set);
    };
    let presence = match Presence::of(found) {
        Presence::Live if expected.presence == Presence::Placeholder => Presence::Placeholder,
        presence => presence,
    };
    if presence != expected.presence {
        let is_back = presence == claimed.presence;
        edit(PRESENCE, presence.as_str().into(), is_back);
    }
    if let Some(found) = found {
        for (column, stands) in found {
            let Some(resolved) = expected.columns.get(column) else {
                continue;
            };
            let is_former = || {
                reordered
                    && claimed.is_claimed_by_another(column, stands)
                    && !authors.saw_cell(entity_id, column)
            };
            if !same(stands, resolved) && !is_former() {
                let is_back = same_or_none(claimed.columns.get(column), Some(stands));
                edit(column, stands.clone(), is_back);
            }
        }
    }
    changed
}
