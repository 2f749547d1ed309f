//! Reads a payload for a typed transform, and tells absent columns from null ones.

use crate::{Rejection, Row};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use validator::{Validate, ValidationErrors, ValidationErrorsKind};

/// The types of a module's query, in a Rust module named after it: `source_query!(ListUsers,
/// "…/query.graphql")`.
macro_rules! source_query {
    ($name:ident, $path:tt $(, $derives:tt)?) => {
        #[derive(graphql_client::GraphQLQuery)]
        #[graphql(
            schema_path = "../fetcher/modules/gazelle/schema.graphql",
            query_path = $path
            $(, response_derives = $derives)?
        )]
        #[expect(dead_code, reason = "the derive reads the query of this name")]
        struct $name;
    };
}
pub(super) use source_query;

/// The calendar day of the source.
pub(super) type CoreDate = jiff::civil::Date;
/// The instant of the source; it prints in UTC whatever its offset was, so that equal instants are equal
/// texts.
pub(super) type CoreDateTime = jiff::Timestamp;

/// A column and the payload paths it is computed from.
pub(super) type Origin = (&'static str, &'static [&'static str]);

/// Parses the payload as a JSON object. If a key is repeated, its last value counts.
pub(super) fn object(payload: &str) -> Result<Value, Rejection> {
    let value: Value = serde_json::from_str(payload).map_err(|error| {
        Rejection::new(
            "not_json",
            format!(
                "The record is not JSON that can be read: broken, cut off or nested too deeply (line {}, column {}); open its bytes as received and report it to the source.",
                error.line(),
                error.column()
            ),
        )
    })?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(Rejection::new(
            "not_an_object",
            "The record is not a JSON object; check `connection` and `nodes` in the module's module.yaml.",
        )),
    }
}

/// Deserializes the object to the node type of the module's query. An error does not repeat the value: it may
/// be personal data.
pub(super) fn node<T: DeserializeOwned>(object: &Value) -> Result<T, Rejection> {
    serde_path_to_error::deserialize(object).map_err(|error| {
        let path = error.path().to_string();
        if let Some(field) = missing_field(error.inner()) {
            let at = if path == "." { field } else { format!("{path}.{field}") };
            return Rejection::new(
                "field_missing",
                format!("`{at}` is missing and nothing can be done without it; compare the record with the source's schema."),
            )
            .at(at);
        }
        Rejection::new(
            "unexpected_type",
            format!(
                "`{path}` is not of the type in schema.graphql; compare the record with the source's schema."
            ),
        )
        .at(path)
    })
}

/// The row of an entity, without the columns that are absent at the source.
///
/// A column comes from the payload path of its own name in camel case, or from the paths that `origins` lists
/// for it. It is absent unless all of them are in the payload; with an empty list it is always present.
pub(super) fn row(
    entity: &(impl Serialize + Validate),
    object: &Value,
    origins: &[Origin],
) -> Result<Row, Rejection> {
    let mut row = whole_row(entity)?;
    row.0.retain(
        |column, _| match origins.iter().find(|(name, _)| name == column) {
            Some((_, paths)) => paths.iter().all(|path| spoken(object, path)),
            None => spoken(object, &camel_case(column)),
        },
    );
    Ok(row)
}

/// The row of an entity with every serialized column.
pub(super) fn whole_row(entity: &(impl Serialize + Validate)) -> Result<Row, Rejection> {
    entity.validate().map_err(|errors| rejection(&errors))?;
    match serde_json::to_value(entity) {
        Ok(Value::Object(columns)) => Ok(Row(columns)),
        _ => Err(Rejection::new(
            "not_a_row",
            "The record holds a value that a column cannot; open its bytes as received and report it.",
        )),
    }
}

/// Joins the non-blank parts of a name with a blank; `None` if there are none.
pub(super) fn full_name(parts: &[Option<&str>]) -> Option<String> {
    let words: Vec<&str> = parts
        .iter()
        .flatten()
        .flat_map(|part| part.split_whitespace())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The non-null items of a list.
pub(super) fn present<T>(list: Option<Vec<Option<T>>>) -> Option<Vec<T>> {
    list.map(|items| items.into_iter().flatten().collect())
}

/// Whether the payload has a value or a null at `path`, or a null at one of its parents.
fn spoken(object: &Value, path: &str) -> bool {
    let mut here = object;
    for key in path.split('.') {
        match here {
            Value::Null => return true,
            Value::Object(map) => match map.get(key) {
                Some(value) => here = value,
                None => return false,
            },
            _ => return false,
        }
    }
    true
}

/// The name of the missing field in the error; it is the name in our query, so it may be shown.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (field, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    Some(field.to_owned())
}

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

/// The first fault by column name, so that a record is always rejected for the same reason.
fn rejection(errors: &ValidationErrors) -> Rejection {
    let fault = errors
        .errors()
        .iter()
        .filter_map(|(column, kind)| match kind {
            ValidationErrorsKind::Field(faults) => Some((column, faults.first()?)),
            _ => None,
        })
        .min_by_key(|(column, _)| column.to_string());
    match fault {
        Some((column, fault)) => {
            let why = fault
                .message
                .as_deref()
                .unwrap_or("A value is outside what its column admits; correct it in the source.");
            Rejection::new(&fault.code, why).at(column.to_string())
        }
        None => Rejection::new(
            "invalid",
            "The record breaks a rule of its columns; correct it in the source.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_null_are_told_apart_at_every_depth() {
        let object = json!({"a": {"b": null, "c": ""}, "n": null, "l": []});
        for (path, expected) in [
            ("a", true),
            ("a.b", true),
            ("a.b.x", true),
            ("a.c", true),
            ("a.x", false),
            ("n", true),
            ("n.x.y", true),
            ("x", false),
            ("x.y", false),
            ("l", true),
            ("l.x", false),
        ] {
            assert_eq!(spoken(&object, path), expected, "{path}");
        }
    }

    #[test]
    fn column_names_become_field_names() {
        for (column, field) in [
            ("id", "id"),
            ("personal_notes", "personalNotes"),
            ("dampp_chaser_mfg_date", "damppChaserMfgDate"),
        ] {
            assert_eq!(camel_case(column), field);
        }
    }
}
