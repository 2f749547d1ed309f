//! The root fields: which records each answers.

use serde_json::{Value, json};

use super::{
    answer::Answer,
    plan::{Plan, Step},
    select,
    window::{Cursor, Window},
};
use crate::{
    data::Map,
    store::{Kind, Row},
};

/// Why a root field has no answer: the message, already in the account's language.
pub(crate) type Refusal = String;

/// The kind of record that a list or connection at the root holds.
fn listed_kind(field: &str) -> Option<Kind> {
    Some(match field {
        "allUsers" => Kind::User,
        "allClients" => Kind::Client,
        "allPianos" => Kind::Piano,
        "allEventsBatched" | "allEvents" => Kind::Event,
        "allTimelineEntries" => Kind::Timeline,
        "allInvoices" => Kind::Invoice,
        "allEstimates" => Kind::Estimate,
        _ => return None,
    })
}

/// Writes `data` of a query.
pub(crate) fn query(answer: &mut Answer<'_>, plan: &Plan) -> Result<(), Refusal> {
    let mut refusal = None;
    answer.braces(plan, |answer, step| {
        if let Err(message) = root_field(answer, step) {
            refusal.get_or_insert(message);
        }
        true
    });
    refusal.map_or(Ok(()), Err)
}

fn root_field(answer: &mut Answer<'_>, step: &Step) -> Result<(), Refusal> {
    let Some(inner) = &step.inner else {
        answer.json(step.info.added.as_ref().unwrap_or(&Value::Null));
        return Ok(());
    };
    let field = step.info.source.as_str();
    if let Some(kind) = listed_kind(field) {
        return if step.is_connection {
            connection(answer, kind, step, inner)
        } else {
            list(answer, kind, step, inner)
        };
    }
    if field == "allEventCancelNotices" {
        cancel_notices(answer, step, inner);
    } else if let Some(items) = answer.store.list(field) {
        short_list(answer, step, inner, items);
    } else {
        single(answer, field, step, inner);
    }
    Ok(())
}

fn list(answer: &mut Answer<'_>, kind: Kind, step: &Step, inner: &Plan) -> Result<(), Refusal> {
    let store = answer.store;
    let rows = select::rows(store, kind, &step.arguments, answer.effects)?;
    answer.list(rows.iter(store.rows(kind).len()), |answer, position| {
        answer.row(inner, &store.rows(kind)[position])
    });
    Ok(())
}

fn connection(
    answer: &mut Answer<'_>,
    kind: Kind,
    step: &Step,
    inner: &Plan,
) -> Result<(), Refusal> {
    for name in ["first", "last"] {
        if step
            .arguments
            .get(name)
            .and_then(Value::as_i64)
            .is_some_and(|number| number < 0)
        {
            return Err(format!(
                "{} doit être supérieur(e) ou égal(e) à 0",
                capitalised(name)
            ));
        }
    }
    let (store, effects) = (answer.store, answer.effects);
    let rows = select::rows(store, kind, &step.arguments, effects)?;
    let table = store.rows(kind);
    let total = rows.len(table.len());
    let mut window = Window::of(&step.arguments, total, effects.page_cap, |cursor| {
        let is_row =
            |place: usize| place < total && store.id(&table[rows.at(place)]) == cursor.id.as_str();
        if effects.offset_cursors || is_row(cursor.offset) {
            return cursor.offset + 1;
        }
        // The row has moved: it is most likely near.
        let near = (1..total).flat_map(|step| {
            [
                cursor.offset.checked_add(step),
                cursor.offset.checked_sub(step),
            ]
        });
        near.flatten()
            .find(|&place| is_row(place))
            .map_or(cursor.offset, |place| place + 1)
    });
    disturb(&mut window, &step.arguments, effects);
    let cursor = |place: usize| Cursor {
        offset: place,
        id: store.id(&table[rows.at(place)]).into_owned(),
    };
    answer.connection(inner, &window, cursor, |answer, plan, place| {
        answer.row(plan, &table[rows.at(place)])
    });
    Ok(())
}

/// Applies the paging switches to a page.
fn disturb(window: &mut Window, arguments: &Map, effects: &crate::faults::Effects) {
    let after = arguments.get("after").and_then(Value::as_str);
    if after.is_some() {
        let size = window.to - window.from;
        let from = (window.from + effects.shift)
            .saturating_sub(effects.repeat)
            .min(window.total);
        if from != window.from {
            let last = window.to == window.total;
            let to = if last {
                window.total
            } else {
                (from + size).min(window.total)
            };
            (window.from, window.to) = (from, to);
            window.has_next = window.to < window.total;
        }
    }
    window.null_at = effects.null_node;
    if effects.same_cursor && after.is_some() {
        window.has_next = true;
        window.end = after.map(str::to_owned);
    }
    if effects.empty_page {
        window.to = window.from;
        window.has_next = true;
        window.end = after.map(str::to_owned);
    }
    window.total = window
        .total
        .saturating_add_signed(effects.total_off as isize);
}

fn short_list(answer: &mut Answer<'_>, step: &Step, inner: &Plan, items: &[Map]) {
    if step.is_connection {
        let window = Window::of(
            &step.arguments,
            items.len(),
            answer.effects.page_cap,
            |cursor| cursor.offset + 1,
        );
        let cursor = |offset| Cursor {
            offset,
            id: String::new(),
        };
        answer.connection(inner, &window, cursor, |answer, plan, place| {
            answer.object(plan, &items[place])
        });
    } else if step.info.list {
        answer.list(items, |answer, item| answer.object(inner, item));
    } else {
        match items.first() {
            Some(item) => answer.object(inner, item),
            None => answer.null(),
        }
    }
}

fn cancel_notices(answer: &mut Answer<'_>, step: &Step, inner: &Plan) {
    let store = answer.store;
    let wanted = step.arguments.get("status").and_then(Value::as_array);
    let open = wanted.is_none_or(|wanted| wanted.contains(&json!("OPEN")));
    let notices: Vec<Map> = store
        .rows(Kind::Event)
        .iter()
        .map(|row| store.view(row))
        .filter(|event| open && event.get("status") == Some(&json!("CANCELED")))
        .map(|event| {
            let id = event["id"].as_str().unwrap_or_default().replacen("evt_", "ecn_", 1);
            crate::data::object(json!({"id": id, "status": "OPEN", "event": event["id"], "createdAt": event["updatedAt"], "updatedAt": event["updatedAt"]}))
        })
        .collect();
    short_list(answer, step, inner, &notices);
}

fn single(answer: &mut Answer<'_>, field: &str, step: &Step, inner: &Plan) {
    let store = answer.store;
    let id = ["id", "clientId", "pianoId", "eventId"]
        .iter()
        .find_map(|name| step.arguments.get(*name)?.as_str())
        .unwrap_or_default();
    if field == "contact" {
        let contact = store.rows(Kind::Client).iter().find_map(|row| match row {
            Row::Whole(client) => client
                .get("allContacts")?
                .as_array()?
                .iter()
                .find(|contact| contact["id"] == id)?
                .as_object(),
            Row::Entry(_) => None,
        });
        return match contact {
            Some(contact) => answer.object(inner, contact),
            None => answer.null(),
        };
    }
    let row = match field {
        "user" => store.rows(Kind::User).first(),
        "event" if answer.effects.vanished.contains(id) && !answer.effects.still_found => None,
        _ => Kind::of_type(&inner.type_name).and_then(|kind| store.find(kind, id)),
    };
    match row {
        Some(row) => answer.row(inner, row),
        None => answer.null(),
    }
}

pub(crate) fn capitalised(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        match letter {
            _ if words.is_empty() => words.extend(letter.to_uppercase()),
            'A'..='Z' => {
                words.push(' ');
                words.extend(letter.to_lowercase());
            }
            _ => words.push(letter),
        }
    }
    words
}
