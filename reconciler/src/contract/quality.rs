//! Parses the checks on values: `quality` rules, `logicalTypeOptions` and `enum`. Rules that no single record
//! can prove (a share of rows, SQL, prose) are listed as unenforced, never silently dropped.

use super::coercion;
use super::column::{Bound, Check, Column};
use super::node::{Fault, Node};
use super::vocabulary;
use regex::RegexBuilder;
use serde_json::Value as Json;

/// Parses the rules of a table; all of them concern many rows at once.
pub(super) fn read_table_rules(
    rules: &Node,
    table: &str,
    unenforced: &mut Vec<String>,
) -> Result<(), Fault> {
    for rule in rules.items("`quality`")? {
        rule.mapping("a quality rule", vocabulary::QUALITY)?;
        unenforced.push(format!(
            "Table `{table}`: {} is about many rows at once and is not enforced record by record.",
            title(&rule)
        ));
    }
    Ok(())
}

/// Parses the rules of a column into constraints and checks.
pub(super) fn read_rules(
    rules: &Node,
    column: &mut Column,
    unenforced: &mut Vec<String>,
) -> Result<(), Fault> {
    for rule in rules.items("`quality`")? {
        rule.mapping("a quality rule", vocabulary::QUALITY)?;
        let word = |key: &str| {
            rule.get(key)
                .and_then(|node| node.value.as_str().map(str::to_owned))
        };
        let metric = word("metric").or_else(|| word("rule"));
        let absolute = rule
            .get("mustBe")
            .is_some_and(|node| node.value.as_i64() == Some(0));
        let soft = word("severity").is_some_and(|severity| severity != "error");
        if !absolute || soft {
            unenforced.push(format!(
                "Column `{}`: {} allows exceptions and is not enforced record by record.",
                column.name,
                title(&rule)
            ));
            continue;
        }
        match metric.as_deref() {
            Some("nullValues") => column.required = true,
            Some("duplicateValues") => column.unique = true,
            Some("invalidValues") => {
                let Some(arguments) = rule.get("arguments") else {
                    return Err(rule.fault(
                        format!("`invalidValues` of column `{}` says not which values are valid.", column.name),
                        "Add `arguments:` with validValues, pattern, minimum, maximum, minLength or maxLength.",
                    ));
                };
                arguments.mapping("the arguments of `invalidValues`", vocabulary::ARGUMENTS)?;
                read_limits(&arguments, column)?;
                if let Some(words) = arguments.get("validValues") {
                    read_enum(&words, column)?;
                }
            }
            _ => unenforced.push(format!(
                "Column `{}`: {} is not enforced record by record.",
                column.name,
                title(&rule)
            )),
        }
    }
    Ok(())
}

/// Parses `logicalTypeOptions`.
pub(super) fn read_options(
    options: &Node,
    column: &mut Column,
    unenforced: &mut Vec<String>,
) -> Result<(), Fault> {
    let mapping = options.mapping("`logicalTypeOptions`", vocabulary::OPTIONS)?;
    read_limits(options, column)?;
    if let Some(words) = options.get("enum") {
        read_enum(&words, column)?;
    }
    for key in mapping.keys().filter_map(|key| key.as_str()) {
        if key != "enum" && !vocabulary::ARGUMENTS.contains(&key) {
            unenforced.push(format!(
                "Column `{}`: the option `{key}` is not enforced.",
                column.name
            ));
        }
    }
    Ok(())
}

/// Parses the list of a column's valid values.
pub(super) fn read_enum(words: &Node, column: &mut Column) -> Result<(), Fault> {
    let mut allowed = Vec::new();
    for word in words.items("the list of valid values")? {
        // Version 3.2 writes `- value: x`, 3.1 writes `- x`; `required` decides about null.
        let word = word.get("value").unwrap_or(word);
        if !word.value.is_null() {
            allowed.push(canonical(&word, column)?);
        }
    }
    column.checks.push(Check::OneOf(allowed));
    Ok(())
}

fn read_limits(limits: &Node, column: &mut Column) -> Result<(), Fault> {
    if let Some(node) = limits.get("pattern") {
        let pattern = node.text("`pattern`")?;
        let regex = RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|_| {
            node.fault(
                format!("The pattern of column `{}` is not a regular expression that runs in linear time.", column.name),
                "Write it without look-ahead, look-behind and back-references, and with moderate repetitions.",
            )
        })?;
        column.checks.push(Check::Pattern(regex));
    }
    for (key, exclusive) in [("minimum", false), ("exclusiveMinimum", true)] {
        if let Some(node) = limits.get(key) {
            column.checks.push(Check::Minimum(Bound {
                value: canonical(&node, column)?,
                exclusive,
            }));
        }
    }
    for (key, exclusive) in [("maximum", false), ("exclusiveMaximum", true)] {
        if let Some(node) = limits.get(key) {
            column.checks.push(Check::Maximum(Bound {
                value: canonical(&node, column)?,
                exclusive,
            }));
        }
    }
    if let Some(length) = length(limits, "minLength")? {
        column.checks.push(Check::MinLength(length));
    }
    if let Some(length) = length(limits, "maxLength")? {
        column.checks.push(Check::MaxLength(length));
    }
    Ok(())
}

fn length(limits: &Node, key: &str) -> Result<Option<usize>, Fault> {
    let Some(node) = limits.get(key) else {
        return Ok(None);
    };
    let length = node.value.as_u64().and_then(|n| usize::try_from(n).ok());
    length.map(Some).ok_or_else(|| {
        node.fault(
            format!("`{key}` is not a whole number."),
            "Write a number of characters.",
        )
    })
}

/// A bound or valid value, in the canonical spelling of the column.
fn canonical(node: &Node, column: &Column) -> Result<String, Fault> {
    let value = serde_json::to_value(node.value).unwrap_or(Json::Null);
    match coercion::coerce(column.physical, &value) {
        Ok(Json::String(text)) => Ok(text),
        Ok(other) => Ok(other.to_string()),
        Err(_) => Err(node.fault(
            format!(
                "{value} cannot be a value of column `{}`, which is `{}`.",
                column.name, column.physical
            ),
            "Write a value of the column's type.",
        )),
    }
}

fn title(rule: &Node) -> String {
    let word = |key: &str| rule.get(key).and_then(|node| node.value.as_str());
    match word("name")
        .or(word("metric"))
        .or(word("rule"))
        .or(word("type"))
    {
        Some(name) => format!("the rule `{name}`"),
        None => "an unnamed rule".to_owned(),
    }
}
