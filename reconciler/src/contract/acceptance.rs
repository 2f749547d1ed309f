//! Checks a row against its contract, without a database.

use super::coercion::coerce;
use super::column::{Bound, Check, Column, PhysicalType};
use super::decimal::Decimal;
use super::document::Contract;
use crate::{Rejection, Row};
use serde_json::Value;
use std::cmp::Ordering;

impl Contract {
    /// The row with every value converted to its column's type, or the reason for its rejection. Every
    /// required column must be present: use it for rows to insert.
    pub fn check(&self, row: &Row) -> Result<Row, Rejection> {
        let checked = self.check_partial(row)?;
        for column in self.columns.iter().filter(|column| column.required) {
            if checked.get(&column.name).is_none() {
                return Err(Rejection::new("required_absent", format!("`{}` is required, and the source says nothing of it. Select and map it, or drop `required` in the contract.", column.name)).at(&column.name));
            }
        }
        Ok(checked)
    }

    /// As `check`, but required columns may be absent (not null): for updates of existing rows.
    pub fn check_partial(&self, row: &Row) -> Result<Row, Rejection> {
        let mut checked = Row::default();
        for (name, value) in &row.0 {
            let Some(column) = self.column(name) else {
                return Err(Rejection::new("column_not_in_contract", format!("`{name}` is mapped, and the contract of `{}` has no such column. Add it to the contract, or remove it from the mapping.", self.entity)).at(name));
            };
            let value = admitted(column, value).map_err(|rejection| rejection.at(name))?;
            checked.0.insert(name.clone(), value);
        }
        Ok(checked)
    }
}

fn admitted(column: &Column, value: &Value) -> Result<Value, Rejection> {
    if value.is_null() && column.required {
        return Err(Rejection::new(
            "required_null",
            format!(
                "`{}` is required, and null came. Correct it in the source, or drop `required` in the contract.",
                column.name
            ),
        ));
    }
    let value = coerce(column.physical, value)?;
    if !value.is_null() {
        column
            .checks
            .iter()
            .try_for_each(|check| holds(check, column, &value))?;
    }
    Ok(value)
}

fn holds(check: &Check, column: &Column, value: &Value) -> Result<(), Rejection> {
    let spelled = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let length = || match value {
        Value::Array(items) => items.len(),
        _ => spelled.chars().count(),
    };
    let name = &column.name;
    let (passed, code, why) = match check {
        Check::Pattern(regex) => (
            regex.is_match(&spelled),
            "pattern_not_matched",
            format!("`{name}` does not match `{regex}`."),
        ),
        Check::Minimum(bound) => (
            within(column, &spelled, bound, Ordering::Less),
            "below_minimum",
            format!("`{name}` is below {}.", bound.value),
        ),
        Check::Maximum(bound) => (
            within(column, &spelled, bound, Ordering::Greater),
            "above_maximum",
            format!("`{name}` is above {}.", bound.value),
        ),
        Check::MinLength(least) => (
            length() >= *least,
            "too_short",
            format!("`{name}` is shorter than {least}."),
        ),
        Check::MaxLength(most) => (
            length() <= *most,
            "too_long",
            format!("`{name}` is longer than {most}."),
        ),
        Check::OneOf(words) => (
            words.contains(&spelled),
            "not_in_enum",
            format!(
                "`{name}` is none of the {} values the contract lists.",
                words.len()
            ),
        ),
    };
    if passed {
        return Ok(());
    }
    Err(Rejection::new(
        code,
        format!("{why} Correct it in the source, or the rule in the contract."),
    ))
}

/// Whether a value lies on the `wrong` side of a bound.
fn within(column: &Column, spelled: &str, bound: &Bound, wrong: Ordering) -> bool {
    let ordering = match column.physical {
        PhysicalType::SmallInt
        | PhysicalType::Integer
        | PhysicalType::BigInt
        | PhysicalType::Numeric(_)
        | PhysicalType::Double => match (Decimal::parse(spelled), Decimal::parse(&bound.value)) {
            (Some(value), Some(bound)) => value.compare(&bound),
            _ => return false,
        },
        // In their canonical spelling, days and instants sort in order of time.
        _ => spelled.cmp(bound.value.as_str()),
    };
    ordering != wrong && !(bound.exclusive && ordering == Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::contract;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn checked(physical: &str, value: &str) -> Result<String, String> {
        let contract = contract(&[&format!("{{ name: value, physicalType: '{physical}' }}")]);
        let row: Row =
            serde_json::from_str(&format!("{{\"id\":\"c1\",\"value\":{value}}}")).expect("a row");
        let checked = contract.check(&row).map_err(|rejection| rejection.code)?;
        Ok(checked.get("value").expect("the value").to_string())
    }

    #[test]
    fn values_take_their_columns_type_without_loss() {
        let cases = [
            ("text", r#""Éloïse""#, Ok(r#""Éloïse""#)),
            ("text", r#""""#, Ok(r#""""#)),
            ("text", "null", Ok("null")),
            ("text", "12.50", Ok(r#""12.50""#)),
            ("text", "true", Err("not_a_text")),
            ("text", "[]", Err("not_a_text")),
            ("text", r#""a\u0000b""#, Err("nul_in_text")),
            ("varchar(3)", r#""été""#, Ok(r#""été""#)),
            ("varchar(3)", r#""étés""#, Err("text_too_long")),
            ("boolean", "true", Ok("true")),
            ("boolean", "1", Err("not_a_boolean")),
            ("boolean", r#""true""#, Err("not_a_boolean")),
            ("smallint", "32767", Ok("32767")),
            ("smallint", "32768", Err("integer_out_of_range")),
            ("integer", "5.0", Ok("5")),
            ("integer", "5e2", Ok("500")),
            ("integer", "5.5", Err("not_an_integer")),
            ("integer", r#""5""#, Err("not_an_integer")),
            ("integer", "-2147483649", Err("integer_out_of_range")),
            ("bigint", "9223372036854775807", Ok("9223372036854775807")),
            ("bigint", "9223372036854775808", Err("integer_out_of_range")),
            ("bigint", "1e999", Err("integer_out_of_range")),
            (
                "numeric",
                "0.10000000000000000001",
                Ok("0.10000000000000000001"),
            ),
            ("numeric", "1.50", Ok("1.5")),
            ("numeric(5,2)", "1.5", Ok("1.50")),
            ("numeric(5,2)", "1.505", Err("number_does_not_fit")),
            ("numeric(5,2)", "1000", Err("number_does_not_fit")),
            ("numeric", "1e99999", Err("number_too_large")),
            ("double precision", "1.0", Ok("1")),
            ("double precision", "0.1", Ok("0.1")),
            ("double precision", "1e400", Err("number_too_large")),
            ("date", r#""2026-01-31""#, Ok(r#""2026-01-31""#)),
            ("date", r#""2026-02-30""#, Err("not_a_date")),
            (
                "date",
                r#""2026-01-31T00:00:00Z""#,
                Err("date_from_instant"),
            ),
            ("date", "20260131", Err("not_a_date")),
            (
                "timestamptz",
                r#""2026-01-31T07:00:00-05:00""#,
                Ok(r#""2026-01-31T12:00:00+00:00""#),
            ),
            (
                "timestamptz",
                r#""2026-01-31T07:00:00""#,
                Err("timestamp_without_zone"),
            ),
            ("timestamptz", "1769860800", Err("not_a_timestamp")),
            (
                "jsonb",
                r#"{"b":1.50,"a":[null,1e2]}"#,
                Ok(r#"{"b":1.50,"a":[null,100]}"#),
            ),
            ("jsonb", r#"{"a\u0000":1}"#, Err("nul_in_text")),
            ("jsonb", r#"["\u0000"]"#, Err("nul_in_text")),
            ("text[]", r#"["a",""]"#, Ok(r#"["a",""]"#)),
            ("text[]", "[]", Ok("[]")),
            ("text[]", "[1]", Err("not_a_list_of_texts")),
            ("text[]", "[null]", Err("null_in_list")),
            ("text[]", r#"["\u0000"]"#, Err("nul_in_text")),
            ("text[]", r#""a""#, Err("not_a_list_of_texts")),
            ("integer[]", "[1,2.0]", Ok("[1,2]")),
            ("integer[]", "[1.5]", Err("not_an_integer")),
        ];
        for (physical, value, expected) in cases {
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(checked(physical, value), expected, "{value} as {physical}");
        }
    }

    #[test]
    fn duties_and_checks_hold_for_every_row() {
        let contract = contract(&[
            "{ name: name, logicalType: string, required: true }",
            "{ name: email, logicalType: string, logicalTypeOptions: { pattern: '^[^@]+@[^@]+$', minLength: 5, maxLength: 20 } }",
            "{ name: humidity, logicalType: number, logicalTypeOptions: { minimum: 0, exclusiveMaximum: 100 } }",
            "{ name: born, logicalType: date, logicalTypeOptions: { minimum: '1900-01-01' } }",
            "{ name: seen_at, logicalType: timestamp, logicalTypeOptions: { maximum: '2030-01-01T00:00:00Z' } }",
            "{ name: state, logicalType: string, logicalTypeOptions: { enum: [ACTIVE, CLOSED] } }",
            "{ name: rank, logicalType: integer, enum: [1, 2] }",
        ]);
        let cases = [
            (json!({}), Ok(())),
            (json!({ "name": null }), Err(("required_null", "name"))),
            (
                json!({ "unknown": 1 }),
                Err(("column_not_in_contract", "unknown")),
            ),
            (json!({ "email": "a@b.c" }), Ok(())),
            (json!({ "email": null }), Ok(())),
            (
                json!({ "email": "nobody" }),
                Err(("pattern_not_matched", "email")),
            ),
            (json!({ "email": "a@b" }), Err(("too_short", "email"))),
            (
                json!({ "email": "averyveryverylong@b.c" }),
                Err(("too_long", "email")),
            ),
            (json!({ "humidity": 0 }), Ok(())),
            (
                json!({ "humidity": -0.5 }),
                Err(("below_minimum", "humidity")),
            ),
            (json!({ "humidity": 99.999 }), Ok(())),
            (
                json!({ "humidity": 100.0 }),
                Err(("above_maximum", "humidity")),
            ),
            (
                json!({ "born": "1899-12-31" }),
                Err(("below_minimum", "born")),
            ),
            (
                json!({ "seen_at": "2029-12-31T23:00:00-05:00" }),
                Err(("above_maximum", "seen_at")),
            ),
            (json!({ "seen_at": "2030-01-01T00:00:00Z" }), Ok(())),
            (
                json!({ "seen_at": "2030-01-01T00:00:00.000001Z" }),
                Err(("above_maximum", "seen_at")),
            ),
            (json!({ "state": "ACTIVE" }), Ok(())),
            (json!({ "state": "active" }), Err(("not_in_enum", "state"))),
            (json!({ "rank": 2.0 }), Ok(())),
            (json!({ "rank": 3 }), Err(("not_in_enum", "rank"))),
        ];
        for (row, expected) in cases {
            let given: Row = serde_json::from_value(row.clone()).expect("a row");
            let found = contract
                .check_partial(&given)
                .map(drop)
                .map_err(|r| (r.code, r.at.unwrap_or_default()));
            assert_eq!(
                found,
                expected.map_err(|(code, at)| (code.to_owned(), at.to_owned())),
                "{row}"
            );
        }
        let absent = contract.check(&Row::default()).map_err(|r| (r.code, r.at));
        assert_eq!(
            absent,
            Err(("required_absent".to_owned(), Some("id".to_owned())))
        );
    }

    proptest! {
        #[test]
        fn what_was_accepted_is_accepted_unchanged(value in json_value()) {
            for physical in ["text", "varchar(4)", "bigint", "numeric", "numeric(6,2)", "double precision", "date", "timestamptz", "jsonb", "text[]", "integer[]"] {
                if let Ok(once) = checked(physical, &value.to_string()) {
                    prop_assert_eq!(checked(physical, &once), Ok(once.clone()), "{} as {}", value, physical);
                }
            }
        }
    }

    fn json_value() -> impl Strategy<Value = Value> {
        let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,6})?(e[0-9])?"
            .prop_map(|text| serde_json::from_str(&text).expect("a number"));
        let text = prop_oneof![
            "\\PC{0,6}",
            "20[0-9]{2}-0[1-9]-1[0-9]( 1[0-9]:00(:00\\.[0-9]{1,9})?(Z|-05)?)?"
        ]
        .prop_map(Value::String);
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            number,
            text
        ];
        scalar.prop_recursive(2, 8, 4, |inner| {
            proptest::collection::vec(inner, 0..4).prop_map(Value::Array)
        })
    }
}
