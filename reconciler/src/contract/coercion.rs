//! Converts a JSON value to a column's type without loss. The result has the spelling of PostgreSQL's
//! `to_jsonb` in UTC, so that a row read back from the table equals the row that was written.

use super::column::PhysicalType;
use super::decimal::Decimal;
use super::instant;
use crate::Rejection;
use serde_json::{Map, Value};

/// `value` as the column stores it; null stays null.
pub(super) fn coerce(physical: PhysicalType, value: &Value) -> Result<Value, Rejection> {
    match (physical, value) {
        (_, Value::Null) => Ok(Value::Null),
        (PhysicalType::Text, _) => text(value).map(Value::String),
        (PhysicalType::Varchar(most), _) => varchar(value, most),
        (PhysicalType::SmallInt, _) => integer(value, i64::from(i16::MIN), i64::from(i16::MAX)),
        (PhysicalType::Integer, _) => integer(value, i64::from(i32::MIN), i64::from(i32::MAX)),
        (PhysicalType::BigInt, _) => integer(value, i64::MIN, i64::MAX),
        (PhysicalType::Numeric(size), _) => numeric(value, size),
        (PhysicalType::Double, _) => double(value),
        (PhysicalType::Boolean, Value::Bool(flag)) => Ok(Value::Bool(*flag)),
        (PhysicalType::Boolean, _) => Err(wrong_kind("not_a_boolean", "true or false", value)),
        (PhysicalType::Date, _) => date(value),
        (PhysicalType::Timestamptz, Value::String(text)) => {
            instant::instant(text).map(|at| Value::String(instant::spelled(at)))
        }
        (PhysicalType::Timestamptz, _) => Err(wrong_kind(
            "not_a_timestamp",
            "a text such as 2026-01-31T12:00:00Z",
            value,
        )),
        (PhysicalType::Jsonb, _) => json(value),
        (PhysicalType::TextArray, Value::Array(items)) => list(items, |item| match item {
            Value::String(_) => text(item).map(Value::String),
            _ => Err(wrong_kind("not_a_list_of_texts", "a list of texts", item)),
        }),
        (PhysicalType::TextArray, _) => {
            Err(wrong_kind("not_a_list_of_texts", "a list of texts", value))
        }
        (PhysicalType::IntegerArray, Value::Array(items)) => list(items, |item| {
            integer(item, i64::from(i32::MIN), i64::from(i32::MAX))
        }),
        (PhysicalType::IntegerArray, _) => Err(wrong_kind(
            "not_a_list_of_integers",
            "a list of whole numbers",
            value,
        )),
    }
}

/// Names the kind of value, never the value itself: it may be personal data.
fn wrong_kind(code: &str, wanted: &str, value: &Value) -> Rejection {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Rejection::new(
        code,
        format!("The column takes {wanted}, and {kind} came. Correct the mapping or the contract."),
    )
}

/// A text, or a number as it was written.
fn text(value: &Value) -> Result<String, Rejection> {
    match value {
        Value::String(text) => no_nul(text).map(|()| text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(wrong_kind("not_a_text", "a text", value)),
    }
}

fn no_nul(text: &str) -> Result<(), Rejection> {
    if text.contains('\0') {
        return Err(Rejection::new(
            "nul_in_text",
            "The text holds a NUL character, which PostgreSQL cannot store. Correct it in the source, or remove it in the mapping.",
        ));
    }
    Ok(())
}

fn varchar(value: &Value, most: u32) -> Result<Value, Rejection> {
    let text = text(value)?;
    let length = text.chars().count();
    if length > most as usize {
        return Err(Rejection::new(
            "text_too_long",
            format!(
                "The text has {length} characters, and the column holds {most}. Widen the column in the contract, or shorten the text in the source."
            ),
        ));
    }
    Ok(Value::String(text))
}

fn integer(value: &Value, least: i64, most: i64) -> Result<Value, Rejection> {
    let Value::Number(number) = value else {
        return Err(wrong_kind("not_an_integer", "a whole number", value));
    };
    let decimal = Decimal::parse(&number.to_string()).map(Decimal::trimmed);
    let whole = decimal
        .as_ref()
        .is_none_or(|decimal| !decimal.to_string().contains('.'));
    if !whole {
        return Err(Rejection::new(
            "not_an_integer",
            "The number has a fraction, and the column takes whole numbers. Use numeric in the contract, or round in the mapping.",
        ));
    }
    match decimal
        .and_then(|decimal| decimal.as_i64())
        .filter(|n| (least..=most).contains(n))
    {
        Some(n) => Ok(Value::from(n)),
        None => Err(Rejection::new(
            "integer_out_of_range",
            format!("The number is outside {least} to {most}. Use a wider type in the contract."),
        )),
    }
}

fn numeric(value: &Value, size: Option<(u32, u32)>) -> Result<Value, Rejection> {
    let Value::Number(number) = value else {
        return Err(wrong_kind("not_a_number", "a number", value));
    };
    let too_large = || {
        Rejection::new(
            "number_too_large",
            "The number has more than a thousand digits. Correct it in the source.",
        )
    };
    let decimal = Decimal::parse(&number.to_string()).ok_or_else(too_large)?;
    let fitted = match size {
        None => Some(decimal.trimmed()),
        Some((precision, scale)) => decimal.fitted(precision, scale),
    };
    let fitted = fitted.ok_or_else(|| {
        let (precision, scale) = size.unwrap_or_default();
        Rejection::new("number_does_not_fit", format!("The number does not fit numeric({precision},{scale}) without losing digits. Widen the column in the contract, or round in the mapping."))
    })?;
    number_of(&fitted.to_string())
}

/// A floating-point column is inexact by the contract's choice; the result is the shortest text of the same
/// float.
fn double(value: &Value) -> Result<Value, Rejection> {
    let Value::Number(number) = value else {
        return Err(wrong_kind("not_a_number", "a number", value));
    };
    match number.to_string().parse::<f64>() {
        Ok(float) if float.is_finite() => {
            number_of(&format!("{}", if float == 0.0 { 0.0 } else { float }))
        }
        _ => Err(Rejection::new(
            "number_too_large",
            "The number is beyond double precision. Use numeric in the contract.",
        )),
    }
}

fn number_of(text: &str) -> Result<Value, Rejection> {
    let number: Result<serde_json::Number, _> = text.parse();
    number.map(Value::Number).map_err(|_| {
        Rejection::new(
            "not_a_number",
            "The number cannot be read. Correct it in the source.",
        )
    })
}

fn date(value: &Value) -> Result<Value, Rejection> {
    let Value::String(text) = value else {
        return Err(wrong_kind("not_a_date", "a day such as 2026-01-31", value));
    };
    if let Some(day) = instant::day(text) {
        return Ok(Value::String(day.to_string()));
    }
    if instant::instant(text).is_ok() {
        return Err(Rejection::new(
            "date_from_instant",
            "An instant is a day only in a zone. Use timestamptz in the contract, or name the day in the mapping.",
        ));
    }
    Err(Rejection::new(
        "not_a_date",
        "The text is not a day such as 2026-01-31. Correct the mapping or the source.",
    ))
}

fn list(
    items: &[Value],
    each: impl Fn(&Value) -> Result<Value, Rejection>,
) -> Result<Value, Rejection> {
    let not_null = |item: &Value| match item {
        Value::Null => Err(Rejection::new(
            "null_in_list",
            "The list holds a null. Remove it in the mapping with `map(select(. != null))`.",
        )),
        _ => each(item),
    };
    items
        .iter()
        .map(not_null)
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

/// JSON as `jsonb` stores it: numbers without exponent, and no NUL character.
fn json(value: &Value) -> Result<Value, Rejection> {
    match value {
        Value::String(text) => no_nul(text).map(|()| value.clone()),
        Value::Array(items) => items
            .iter()
            .map(json)
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                no_nul(key)?;
                Ok((key.clone(), json(value)?))
            };
            fields
                .iter()
                .map(field)
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object)
        }
        Value::Number(number) => {
            let too_large = || {
                Rejection::new(
                    "number_too_large",
                    "A number has more than a thousand digits. Correct it in the source.",
                )
            };
            number_of(
                &Decimal::parse(&number.to_string())
                    .ok_or_else(too_large)?
                    .to_string(),
            )
        }
        Value::Null | Value::Bool(_) => Ok(value.clone()),
    }
}
