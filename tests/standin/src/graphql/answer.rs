//! Writes the answer of a plan: records of the store, straight to JSON bytes.

use std::io::Write;

use serde_json::{Value, json};

use super::{
    plan::{Plan, Step},
    window::{Cursor, Window},
};
use crate::{
    data::Map,
    faults::{Effects, drift::Variant},
    store::{Kind, Row, Store},
};

/// A field value that leaves the field out of the answer.
pub(crate) fn is_absent(value: &Value) -> bool {
    value.get("$absent") == Some(&Value::Bool(true))
}

/// The text that a field value wants written as it is, whatever it does to the answer.
fn raw(value: &Value) -> Option<&str> {
    value.get("$raw")?.as_str()
}

/// One answer being written.
pub(crate) struct Answer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) effects: &'a Effects,
    pub(crate) out: Vec<u8>,
    /// How many values of the enum under `unknown_enum` were written.
    enums: usize,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(store: &'a Store, effects: &'a Effects) -> Self {
        Answer {
            store,
            effects,
            out: Vec::with_capacity(64 * 1024),
            enums: 0,
        }
    }

    /// Writes `{…}` with the parts that `write` puts in.
    pub(crate) fn braces(&mut self, plan: &Plan, mut write: impl FnMut(&mut Self, &Step) -> bool) {
        self.out.push(b'{');
        for step in &plan.steps {
            let mark = self.out.len();
            if self.out[mark - 1] != b'{' {
                self.out.push(b',');
            }
            self.out.extend_from_slice(step.label.as_bytes());
            if !write(self, step) {
                self.out.truncate(mark);
            }
        }
        self.out.push(b'}');
    }

    /// Writes `[…]` with one element per item.
    pub(crate) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.out.push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            write(self, item);
        }
        self.out.push(b']');
    }

    pub(crate) fn json(&mut self, value: &Value) {
        serde_json::to_writer(&mut self.out, value)
            .expect("a JSON value is always writable to memory");
    }

    pub(crate) fn null(&mut self) {
        self.out.extend_from_slice(b"null");
    }

    /// Writes a record of a table.
    pub(crate) fn row(&mut self, plan: &Plan, row: &Row) {
        let mut map = self.store.view(row);
        if let Some(user) = map
            .get("id")
            .and_then(Value::as_str)
            .and_then(|id| self.effects.reassigned.get(id))
        {
            map.to_mut().insert("user".into(), user.as_str().into());
        }
        self.object(plan, &map);
    }

    /// Writes an object from the fields of a record.
    pub(crate) fn object(&mut self, plan: &Plan, map: &Map) {
        self.braces(plan, |answer, step| answer.field(step, map));
    }

    /// Writes a field's value; false when the field is to be left out.
    fn field(&mut self, step: &Step, map: &Map) -> bool {
        let held = step
            .info
            .added
            .as_ref()
            .or_else(|| map.get(&step.info.source));
        match step.variant {
            Some(Variant::Absent) => return false,
            Some(Variant::Null) => self.null(),
            Some(Variant::Empty) => self.empty(step),
            None => match (held, &step.inner) {
                (Some(value), _) if is_absent(value) => return false,
                (Some(value), _) if raw(value).is_some() => {
                    self.out
                        .extend_from_slice(raw(value).unwrap_or_default().as_bytes());
                }
                (value, Some(inner)) => {
                    self.nested(step, inner, value.unwrap_or(&Value::Null), map)
                }
                (value, None) => self.leaf(step, value.unwrap_or(&Value::Null)),
            },
        }
        true
    }

    fn empty(&mut self, step: &Step) {
        let text: &[u8] = match (step.info.list, step.info.named.as_str()) {
            (true, _) => b"[]",
            (_, "Int" | "Float") => b"0",
            (_, "Boolean") => b"false",
            _ if step.inner.is_some() => b"{}",
            _ => b"\"\"",
        };
        self.out.extend_from_slice(text);
    }

    fn leaf(&mut self, step: &Step, value: &Value) {
        if step.is_enum
            && !value.is_null()
            && let Some((name, unknown)) = &self.effects.unknown_enum
            && *name == step.info.named
        {
            self.enums += 1;
            if self.enums % 5 == 1 {
                return self.json(&Value::from(unknown.as_str()));
            }
        }
        match &step.info.retyped {
            Some(scalar) => self.json(&retyped(value, scalar)),
            None => self.json(value),
        }
    }

    fn nested(&mut self, step: &Step, inner: &Plan, value: &Value, parent: &Map) {
        let id = || parent.get("id").and_then(Value::as_str).unwrap_or_default();
        match (inner.type_name.as_str(), step.field.as_str()) {
            ("PrivatePianoConnection", "allPianos") => {
                let wanted = step.arguments.get("status").and_then(Value::as_array);
                let store = self.store;
                let pianos = store
                    .children(Kind::Piano, id())
                    .iter()
                    .map(|&position| &store.rows(Kind::Piano)[position]);
                let pianos: Vec<&Row> = pianos
                    .filter(|row| {
                        wanted.is_none_or(|wanted| {
                            store
                                .view(row)
                                .get("status")
                                .is_some_and(|status| wanted.contains(status))
                        })
                    })
                    .collect();
                self.inline(step, inner, &pianos, |answer, plan, row| {
                    answer.row(plan, row)
                });
            }
            (_, "allPianoMeasurements") => {
                let store = self.store;
                let measurements = store.children(Kind::Measurement, id());
                self.list(measurements, |answer, &position| {
                    answer.row(inner, &store.rows(Kind::Measurement)[position])
                });
            }
            _ if step.is_connection => {
                let items: Vec<&Value> = value.as_array().into_iter().flatten().collect();
                self.inline(step, inner, &items, |answer, plan, item| {
                    answer.target(plan, item)
                });
            }
            _ if value.is_null() && !step.info.nullable && step.info.list => {
                self.out.extend_from_slice(b"[]")
            }
            _ => match value {
                Value::Array(items) => self.list(items, |answer, item| answer.target(inner, item)),
                other => self.target(inner, other),
            },
        }
    }

    /// Writes what a value stands for: an object itself, or the record whose id it is.
    fn target(&mut self, plan: &Plan, value: &Value) {
        match value {
            Value::Object(map) => self.object(plan, map),
            Value::String(id) => {
                match Kind::of_type(&plan.type_name).and_then(|kind| self.store.find(kind, id)) {
                    Some(row) => self.row(plan, row),
                    None => self.object(plan, &Map::from_iter([("id".to_owned(), value.clone())])),
                }
            }
            _ => self.null(),
        }
    }

    /// Writes a connection whose items are all at hand; its cursors hold positions.
    fn inline<T: Copy>(
        &mut self,
        step: &Step,
        plan: &Plan,
        items: &[T],
        mut write: impl FnMut(&mut Self, &Plan, T),
    ) {
        let window = Window::of(
            &step.arguments,
            items.len(),
            self.effects.page_cap,
            |cursor| cursor.offset + 1,
        );
        self.connection(
            plan,
            &window,
            |position| Cursor {
                offset: position,
                id: String::new(),
            },
            |answer, plan, position| {
                write(answer, plan, items[position]);
            },
        );
    }

    /// Writes a connection.
    pub(crate) fn connection(
        &mut self,
        plan: &Plan,
        window: &Window,
        cursor: impl Fn(usize) -> Cursor,
        mut write: impl FnMut(&mut Self, &Plan, usize),
    ) {
        let positions = window.from..window.to;
        self.braces(plan, |answer, step| {
            match (&step.inner, step.field.as_str()) {
                (_, "totalCount") => {
                    let _ = write!(answer.out, "{}", window.total);
                }
                (Some(inner), "pageInfo") => answer.object(inner, &window.page_info(&cursor)),
                (Some(inner), "nodes") => answer.list(positions.clone(), |answer, position| {
                    if window.null_at == Some(position - window.from) {
                        answer.null()
                    } else {
                        write(answer, inner, position)
                    }
                }),
                (Some(inner), "edges") => answer.list(positions.clone(), |answer, position| {
                    answer.braces(inner, |answer, step| {
                        match &step.inner {
                            Some(_) if window.null_at == Some(position - window.from) => {
                                answer.null()
                            }
                            Some(node) => write(answer, node, position),
                            None if step.field == "cursor" => {
                                answer.json(&cursor(position).encode().into())
                            }
                            None => answer.json(step.info.added.as_ref().unwrap_or(&Value::Null)),
                        }
                        true
                    });
                }),
                _ => answer.json(step.info.added.as_ref().unwrap_or(&Value::Null)),
            }
            true
        });
    }
}

fn retyped(value: &Value, scalar: &str) -> Value {
    match (scalar, value) {
        (_, Value::Null) => Value::Null,
        ("String", Value::String(text)) => text.as_str().into(),
        ("String", other) => other.to_string().into(),
        ("Int", Value::String(text)) => json!(text.parse::<i64>().unwrap_or(text.len() as i64)),
        ("Boolean", other) => json!(!other.is_null()),
        (_, other) => other.clone(),
    }
}
