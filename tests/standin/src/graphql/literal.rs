//! JSON values and GraphQL literals, each turned into the other.

use async_graphql::{Name, Value as Literal};
use serde_json::Value;

/// A JSON value as a literal. Written by hand, because numbers of any precision do not survive serde here.
pub(crate) fn to_literal(value: &Value) -> Literal {
    match value {
        Value::Null => Literal::Null,
        Value::Bool(flag) => Literal::Boolean(*flag),
        Value::Number(number) => Literal::Number(number.clone()),
        Value::String(text) => Literal::String(text.clone()),
        Value::Array(items) => Literal::List(items.iter().map(to_literal).collect()),
        Value::Object(fields) => Literal::Object(
            fields
                .iter()
                .map(|(name, value)| (Name::new(name), to_literal(value)))
                .collect(),
        ),
    }
}

/// A literal as JSON; enum values become text.
pub(crate) fn to_json(literal: &Literal) -> Value {
    match literal {
        Literal::List(items) => items.iter().map(to_json).collect(),
        Literal::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.to_string(), to_json(value)))
            .collect(),
        Literal::Enum(name) => name.as_str().into(),
        Literal::String(text) => text.as_str().into(),
        Literal::Boolean(flag) => (*flag).into(),
        Literal::Number(number) => Value::Number(number.clone()),
        Literal::Null | Literal::Binary(_) => Value::Null,
    }
}
