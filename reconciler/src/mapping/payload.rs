//! Converts between a record's bytes, jaq's values and a row's values. Numbers keep every digit; depth and
//! size are limited.

use super::budget::{Budget, DEEPEST};
use crate::Rejection;
use jaq_json::{Map, Num, Val};
use serde_json::Value;

/// Parses the payload into a jaq value.
pub(super) fn parse(payload: &str) -> Result<Val, Rejection> {
    if is_deep(payload) {
        return Err(Rejection::new(
            "nested_too_deep",
            format!(
                "The record nests deeper than {DEEPEST} levels. Select less of it in the query."
            ),
        ));
    }
    jaq_json::read::parse_single(payload.as_bytes()).map_err(|_| {
        if has_unpaired_surrogate(payload) {
            return Rejection::new("unpaired_surrogate", "A text of the record holds half a character (an unpaired surrogate), which no database stores. Correct it in the source.");
        }
        Rejection::new("not_json", "The record is not JSON. Look at its bytes in staging, and tell the source's owner.")
    })
}

/// Counts brackets outside of strings.
fn is_deep(payload: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in payload.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn has_unpaired_surrogate(payload: &str) -> bool {
    let unit = |at: usize| {
        payload
            .get(at + 2..at + 6)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
    };
    let mut high = None;
    let mut at = 0;
    let bytes = payload.as_bytes();
    while at < bytes.len() {
        let escape = (bytes[at] == b'\\').then(|| bytes.get(at + 1)).flatten();
        let code = escape.filter(|kind| **kind == b'u').and_then(|_| unit(at));
        match (high, code) {
            (Some(end), Some(0xDC00..=0xDFFF)) if end == at => high = None,
            (Some(_), _) | (None, Some(0xDC00..=0xDFFF)) => return true,
            (None, Some(0xD800..=0xDBFF)) => high = Some(at + 6),
            _ => {}
        }
        at += match (escape, code) {
            (_, Some(_)) => 6,
            (Some(_), None) => 2,
            (None, _) => 1,
        };
    }
    high.is_some()
}

/// Converts a jaq value to a row's value.
pub(super) fn to_json(value: &Val, budget: &Budget) -> Result<Value, Rejection> {
    to_json_below(value, budget, DEEPEST)
}

fn to_json_below(value: &Val, budget: &Budget, levels: usize) -> Result<Value, Rejection> {
    if !budget.spend(1) || levels == 0 {
        return Err(too_costly());
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(flag) => Value::Bool(*flag),
        Val::Num(number) => Value::Number(number_of(number)?),
        Val::TStr(text) => Value::String(text_of(text)?),
        Val::BStr(_) => return Err(not_text()),
        Val::Arr(items) => {
            let items = items
                .iter()
                .map(|item| to_json_below(item, budget, levels - 1));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Val::Obj(fields) => {
            let mut object = serde_json::Map::with_capacity(fields.len());
            for (key, value) in fields.iter() {
                let Val::TStr(key) = key else {
                    return Err(not_text());
                };
                object.insert(text_of(key)?, to_json_below(value, budget, levels - 1)?);
            }
            Value::Object(object)
        }
    })
}

fn text_of(bytes: &[u8]) -> Result<String, Rejection> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| not_text())
}

fn not_text() -> Rejection {
    Rejection::new(
        "mapping_not_text",
        "The expression makes bytes that are not text. Correct the mapping.",
    )
}

/// The rejection of an expression that ran out of steps.
pub(super) fn too_costly() -> Rejection {
    Rejection::new(
        "mapping_too_costly",
        "The expression takes too many steps on this record, or builds too large a value. Simplify the mapping, or look at the record for a list that grew out of bounds.",
    )
}

fn number_of(number: &Num) -> Result<serde_json::Number, Rejection> {
    let exact = match number {
        Num::Int(n) => Ok((*n).into()),
        Num::Float(float) if float.is_finite() => float.to_string().parse(),
        Num::Float(_) => return Err(not_finite()),
        Num::BigInt(_) | Num::Dec(_) => number.to_string().parse(),
    };
    exact.map_err(|_: serde_json::Error| not_finite())
}

fn not_finite() -> Rejection {
    Rejection::new(
        "not_a_finite_number",
        "The number is infinite or no number at all. Guard the division in the mapping, or correct it in the source.",
    )
}

/// Converts a row's value to a jaq value.
pub(super) fn from_json(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::Bool(*flag),
        Value::Number(number) => {
            let text = number.to_string();
            let parsed = jaq_json::read::parse_single_num(text.as_bytes());
            Val::Num(parsed.unwrap_or(Num::Float(f64::NAN)))
        }
        Value::String(text) => Val::from(text.clone()),
        Value::Array(items) => items.iter().map(from_json).collect(),
        Value::Object(fields) => object(fields.iter().map(|(key, value)| (key.as_str(), value))),
    }
}

/// A jaq object with these fields.
pub(super) fn object<'v>(fields: impl Iterator<Item = (&'v str, &'v Value)>) -> Val {
    Val::obj(
        fields
            .map(|(key, value)| (Val::from(key.to_owned()), from_json(value)))
            .collect::<Map>(),
    )
}
