//! Whose value stands where several records are one entity.
//!
//! Per column one claim wins. Where a module declares a survivorship for its table: by the declared trust in
//! its module, then the more recent, then the one that says more, then by name. Elsewhere: the record the
//! entity was made of, then records of the table's own modules before those derived from other modules'
//! records, then by name. Either order depends on the claims alone, so the order in which they come never
//! matters.

use std::cmp::{Ordering, Reverse};

use serde_json::{Map, Value};

use crate::definition::Survivorship;
use crate::equality::holds;
use crate::identities::{Claim, Method};
use crate::ownership::{Owner, is_empty};
use crate::table_rules::TableRules;

/// The values that win, column by column; the lists of a column owned by `append` are put together.
pub(crate) fn combine<'c>(
    table: &TableRules<'_>,
    claims: impl IntoIterator<Item = &'c Claim>,
) -> Map<String, Value> {
    let mut claims: Vec<&Claim> = claims.into_iter().collect();
    if let [only] = claims[..] {
        return only.columns.clone();
    }
    claims.sort_by(|one, other| match table.survivorship {
        Some(rule) => rule.order(one, other),
        None => precedence(one, other),
    });
    let mut combined: Map<String, Value> = Map::new();
    for (column, value) in claims.iter().flat_map(|claim| &claim.columns) {
        match combined.get_mut(column) {
            None => {
                combined.insert(column.clone(), value.clone());
            }
            Some(stands) if is_empty(stands) && (stands.is_null() || !is_empty(value)) => {
                stands.clone_from(value);
            }
            Some(Value::Array(stands)) if table.ownership(column).own == Owner::Append => {
                let items = value.as_array().into_iter().flatten();
                let new: Vec<Value> = items.filter(|item| !holds(stands, item)).cloned().collect();
                stands.extend(new);
            }
            Some(_) => {}
        }
    }
    combined
}

/// Whether a claim comes before all others that count.
pub(crate) fn leads(table: &TableRules<'_>, claims: &[Claim], own: &Claim) -> bool {
    let order = |one: &Claim, other: &Claim| match table.survivorship {
        Some(rule) => rule.order(one, other),
        None => precedence(one, other),
    };
    let living = claims.iter().filter(|claim| !claim.gone);
    living.min_by(|one, other| order(one, other)) == Some(own)
}

/// The order of claims where the table declares none: the first wins.
fn precedence(one: &Claim, other: &Claim) -> Ordering {
    let key = |claim: &Claim| {
        (
            claim.method == Method::Placeholder,
            claim.derived,
            claim.method.joined(),
        )
    };
    key(one).cmp(&key(other)).then_with(|| by_name(one, other))
}

fn by_name(one: &Claim, other: &Claim) -> Ordering {
    (&one.source, &one.module, &one.source_id).cmp(&(
        &other.source,
        &other.module,
        &other.source_id,
    ))
}

impl Survivorship {
    /// The claim that wins comes first.
    fn order(&self, one: &Claim, other: &Claim) -> Ordering {
        let trust = |claim: &Claim| {
            let place = self.trust.iter().position(|name| *name == claim.module);
            place.unwrap_or(self.trust.len())
        };
        let said = |claim: &Claim| {
            Reverse(
                claim
                    .columns
                    .values()
                    .filter(|value| !is_empty(value))
                    .count(),
            )
        };
        (one.method == Method::Placeholder, trust(one))
            .cmp(&(other.method == Method::Placeholder, trust(other)))
            .then_with(|| later(self.when(other), self.when(one)))
            .then_with(|| said(one).cmp(&said(other)))
            .then_with(|| by_name(one, other))
    }

    fn when<'c>(&self, claim: &'c Claim) -> Option<&'c Value> {
        claim.columns.get(self.recency.as_ref()?)
    }
}

/// Instants as PostgreSQL writes them in UTC follow each other as texts do; numbers as numbers.
fn later(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    let number = |value: Option<&Value>| value.and_then(Value::as_f64);
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (one_number, other_number) => {
            (one_number.is_some(), text(one)).cmp(&(other_number.is_some(), text(other)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(module: &str, source_id: &str, columns: Value) -> Claim {
        Claim {
            source: "s".into(),
            module: module.into(),
            source_id: source_id.into(),
            method: Method::New,
            derived: false,
            gone: false,
            columns: columns.as_object().cloned().unwrap_or_default(),
        }
    }

    fn rule() -> Survivorship {
        Survivorship {
            trust: vec!["first".into(), "second".into()],
            recency: Some("at".into()),
        }
    }

    #[test]
    fn which_claim_wins() {
        let cases = [
            (
                "one alone",
                vec![claim("second", "a", json!({ "x": 1 }))],
                json!(1),
            ),
            (
                "trust before recency",
                vec![
                    claim("second", "a", json!({ "x": 1, "at": "2026-05-02" })),
                    claim("first", "b", json!({ "x": 2, "at": "2026-05-01" })),
                ],
                json!(2),
            ),
            (
                "who is named before who is not",
                vec![
                    claim("else", "a", json!({ "x": 1, "at": "2026-05-02" })),
                    claim("second", "b", json!({ "x": 2 })),
                ],
                json!(2),
            ),
            (
                "the more recent of two ids",
                vec![
                    claim(
                        "first",
                        "a",
                        json!({ "x": 1, "at": "2026-05-01T00:00:00+00:00" }),
                    ),
                    claim(
                        "first",
                        "b",
                        json!({ "x": 2, "at": "2026-05-01T00:00:00.5+00:00" }),
                    ),
                ],
                json!(2),
            ),
            (
                "a time before none",
                vec![
                    claim("first", "a", json!({ "x": 1, "y": 1, "z": 1 })),
                    claim("first", "b", json!({ "x": 2, "at": 5 })),
                ],
                json!(2),
            ),
            (
                "the one that says more",
                vec![
                    claim("first", "a", json!({ "x": 1, "y": "" })),
                    claim("first", "b", json!({ "x": 2, "y": 7 })),
                ],
                json!(2),
            ),
            (
                "an empty word is none",
                vec![
                    claim("first", "a", json!({ "x": null })),
                    claim("second", "b", json!({ "x": 2 })),
                ],
                json!(2),
            ),
        ];
        let rule = rule();
        let table = TableRules {
            survivorship: Some(&rule),
            ..TableRules::default()
        };
        for (label, claims, expected) in cases {
            let won = combine(&table, &claims);
            assert_eq!(won.get("x"), Some(&expected), "{label}");
        }
    }
}
