//! When two values of a column are the same: numbers as numbers, everything else as `jsonb` compares it.

use serde_json::{Map, Number, Value};

/// Whether two values are the same to PostgreSQL. A number is its value and not its spelling, so a column
/// that was widened from `numeric(5,2)` to `numeric(9,4)`, or from `real` to `double precision`, holds what
/// it held.
pub(crate) fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => same_number(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

/// Whether a list holds an item.
pub(crate) fn holds(list: &[Value], item: &Value) -> bool {
    list.iter().any(|other| same(other, item))
}

/// A text that is the same for the same columns, whatever their order and the spelling of their numbers.
pub(crate) fn canonical(columns: &Map<String, Value>) -> String {
    let mut text = String::new();
    write_object(columns, &mut text);
    text
}

fn write_object(members: &Map<String, Value>, text: &mut String) {
    let mut keys: Vec<&String> = members.keys().collect();
    keys.sort_unstable();
    text.push('{');
    for key in keys {
        text.push_str(&Value::from(key.as_str()).to_string());
        text.push(':');
        write(&members[key.as_str()], text);
        text.push(',');
    }
    text.push('}');
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => write_object(members, text),
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) => match decimal(&number.to_string()) {
            Some((negative, digits, power)) => {
                let sign = if negative { "-" } else { "" };
                text.push_str(&format!("{sign}{digits}e{power}"));
            }
            None => text.push_str(&number.to_string()),
        },
        other => text.push_str(&other.to_string()),
    }
}

fn same_number(one: &Number, other: &Number) -> bool {
    let (one, other) = (one.to_string(), other.to_string());
    if one == other {
        return true;
    }
    match (decimal(&one), decimal(&other)) {
        (Some(left), Some(right)) if left == right => true,
        (Some(_), Some(_)) => same_single(&one, &other) || same_single(&other, &one),
        _ => false,
    }
}

/// Whether `double` is what becomes of the single-precision number that PostgreSQL wrote as `single`.
fn same_single(single: &str, double: &str) -> bool {
    let (Ok(single), Ok(double)) = (single.parse::<f32>(), double.parse::<f64>()) else {
        return false;
    };
    // A double that came from a single has no bits beyond it; one that people wrote hardly ever does.
    single.is_finite() && f64::from(single) == double && double.fract() != 0.0
}

/// Sign, digits without zeros at either end, and the power of ten behind them; zero has no digits.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, power) = match text.split_once(['e', 'E']) {
        Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let negative = mantissa.starts_with('-');
    let mantissa = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let power = power - fraction.len() as i64;
    let kept = digits.trim_end_matches('0');
    let power = power + (digits.len() - kept.len()) as i64;
    let kept = kept.trim_start_matches('0');
    Some(match kept.is_empty() {
        true => (false, String::new(), 0),
        false => (negative, kept.to_owned(), power),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_and_nothing_else_is() {
        let cases = [
            ("1", "1", true),
            ("1.5", "1.50", true),
            ("1.50", "1.5000", true),
            ("-0", "0.00", true),
            ("100", "1e2", true),
            ("0.1", "0.10000000149011612", true),
            ("0.1", "0.1000001", false),
            ("1.5", "1.51", false),
            ("9007199254740993", "9007199254740992", false),
            ("\"1.5\"", "1.5", false),
            ("[1.0, {\"a\": 2}]", "[1, {\"a\": 2.0}]", true),
            ("{\"a\": 1, \"b\": 2}", "{\"b\": 2, \"a\": 1.0}", true),
            ("[1, 2]", "[2, 1]", false),
            ("null", "\"\"", false),
        ];
        for (one, other, expected) in cases {
            let parse = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            assert_eq!(same(&parse(one), &parse(other)), expected, "{one} {other}");
            assert_eq!(same(&parse(other), &parse(one)), expected, "{other} {one}");
        }
    }
}
