//! Whether a row may enter the table: the contract's word on a record, taken without a database.

use super::coercion::coerce;
use super::column::{Bound, Check, Column, PhysicalType};
use super::decimal::Decimal;
use super::document::Contract;
use crate::{Rejection, Row};
use serde_json::Value;
use std::cmp::Ordering;

impl Contract {
    /// The row with every value in its column's type, or why the record is refused.
    /// Every required column must be there: use it for what is to be inserted.
    pub fn check(&self, row: &Row) -> Result<Row, Rejection> {
        let checked = self.check_partial(row)?;
        for column in self.columns.iter().filter(|column| column.required) {
            if checked.get(&column.name).is_none() {
                return Err(Rejection::new("required_absent", format!("`{}` is required, and the source says nothing of it. Select and map it, or drop `required` in the contract.", column.name)).at(&column.name));
            }
        }
        Ok(checked)
    }

    /// As `check`, where required columns may be absent (not null): for what updates a row that exists.
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

/// Whether a value does not fall on the `wrong` side of a bound.
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
        // Days and instants are spelled so that the order of texts is the order of time.
        _ => spelled.cmp(bound.value.as_str()),
    };
    ordering != wrong && !(bound.exclusive && ordering == Ordering::Equal)
}
