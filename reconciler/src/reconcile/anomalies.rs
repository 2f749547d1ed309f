//! Changes at a source that a person should confirm: a record that describes another thing than before under
//! the same id, and a column that is now empty in many records.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::Row;
use crate::definition::Definition;
use crate::guard::{Extent, Guard, share};
use crate::identities::Identity;
use crate::ownership::is_empty;

/// Records, or columns, told by name in an objection.
const NAMED: usize = 3;
/// Fewer columns than this say too little of what a thing is.
const TELLING: usize = 4;

/// What was met so far.
#[derive(Debug, Default)]
pub(crate) struct Anomalies {
    /// Records that are other things than before, with the columns that say so.
    contradicted: BTreeMap<String, Vec<String>>,
    /// In how many records a column that held something is empty or absent for the first time.
    emptied: BTreeMap<String, i64>,
}

impl Anomalies {
    /// Holds a known record against what it said before. `replayed` ones are read by another definition than
    /// then: what they no longer say of themselves is nobody's suspicion.
    pub(crate) fn look(
        &mut self,
        telling: &BTreeSet<&str>,
        before: &Identity,
        now: &Row,
        kept: &BTreeSet<String>,
        replayed: bool,
    ) {
        if !replayed {
            let others = contradictions(telling, &before.claim, &now.0);
            if !others.is_empty() {
                self.contradicted.insert(before.source_id.clone(), others);
            }
            for column in kept.difference(&before.kept) {
                *self.emptied.entry(column.clone()).or_default() += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, batch: Anomalies) {
        self.contradicted.extend(batch.contradicted);
        for (column, records) in batch.emptied {
            *self.emptied.entry(column).or_default() += records;
        }
    }

    /// What was met, one line each.
    pub(crate) fn named(&self) -> Vec<String> {
        let contradicted = self.contradicted.iter();
        let contradicted =
            contradicted.map(|(id, columns)| format!("contradicted {id} {}", columns.join(",")));
        let emptied = self.emptied.iter();
        let emptied = emptied.map(|(column, records)| format!("emptied {column} {records}"));
        contradicted.chain(emptied).collect()
    }

    /// Counts what was met, and says what stands against believing it.
    pub(crate) fn objection(
        &self,
        module: &str,
        guard: &Guard,
        extent: &mut Extent,
    ) -> Option<String> {
        extent.contradicted = self.contradicted.len() as i64;
        let most = self.emptied.iter().max_by_key(|(_, records)| **records);
        extent.emptied = most.map_or(0, |(_, records)| *records);
        let mut told: Vec<String> = self
            .contradicted
            .iter()
            .take(NAMED)
            .map(|(id, columns)| format!("{module}/{id} ({})", columns.join(", ")))
            .collect();
        if self.contradicted.len() > NAMED {
            told.push(format!("and {} more", self.contradicted.len() - NAMED));
        }
        if !told.is_empty() {
            return Some(format!(
                "The source seems to have given ids to other things: {} are nothing like what stood there.",
                told.join(", ")
            ));
        }
        let live = extent.live;
        let is_many =
            |records: i64| records > guard.free && share(records, live) > guard.erase_percent;
        let mut many: Vec<(&String, i64)> = self.emptied.iter().map(|(c, n)| (c, *n)).collect();
        many.retain(|(_, records)| is_many(*records));
        many.sort_by_key(|(_, records)| Reverse(*records));
        let mut told: Vec<String> = many
            .iter()
            .take(NAMED)
            .map(|(column, records)| {
                let share = share(*records, live);
                format!("`{column}` of {records} of {live} rows ({share:.1} %)")
            })
            .collect();
        if many.len() > NAMED {
            told.push(format!("{} more columns", many.len() - NAMED));
        }
        (!told.is_empty()).then(|| {
            format!(
                "The source has no value any more for {} (allowed {} %): perhaps the credentials may no longer read it. The values stay.",
                told.join(", "),
                guard.erase_percent
            )
        })
    }
}

/// The columns by which a module's records are told apart.
pub(crate) fn telling(definition: &Definition) -> BTreeSet<&str> {
    let keys = definition.spec.matching.keys.iter().flat_map(|key| &key.on);
    let compared = definition.scoring.iter().flat_map(|s| s.columns());
    keys.chain(compared)
        .map(String::as_str)
        .filter(|column| !column.starts_with('_'))
        .collect()
}

/// The columns that hold something else, where so many do that the record can hardly be the same thing; none
/// otherwise.
fn contradictions(
    telling: &BTreeSet<&str>,
    before: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Vec<String> {
    let both = telling.iter().filter_map(|column| {
        let (before, now) = (before.get(*column)?, now.get(*column)?);
        (!is_empty(before) && !is_empty(now)).then(|| (*column, folded(before) != folded(now)))
    });
    let both: Vec<(&str, bool)> = both.collect();
    let others = both.iter().filter(|(_, differs)| *differs);
    let others: Vec<String> = others.map(|(column, _)| (*column).to_owned()).collect();
    match both.len() >= TELLING && others.len() * 4 >= both.len() * 3 {
        true => others,
        false => Vec::new(),
    }
}

/// A value without what spellings differ in.
fn folded(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string(),
    };
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_another_thing_when_nearly_all_that_tells_it_differs() {
        let telling = BTreeSet::from(["name", "email", "phone", "street", "city"]);
        let stood = json!({ "name": "Anne Roy", "email": "a@roy.example", "phone": "514 555-0100", "street": "1, rue A", "city": "Laval" });
        let cases = [
            (
                "the same in another spelling",
                json!({ "name": "ANNE ROY", "email": "A@Roy.example", "phone": "(514) 555 0100", "street": "1 Rue A" }),
                0,
            ),
            (
                "she married and moved",
                json!({ "name": "Anne Gagnon", "email": "a@roy.example", "phone": "514 555-0100", "street": "9, rue B", "city": "Québec" }),
                0,
            ),
            (
                "somebody else",
                json!({ "name": "Luc Côté", "email": "l@cote.example", "phone": "418 555-0199", "street": "9, rue B", "city": "Laval" }),
                4,
            ),
            (
                "too little is said",
                json!({ "name": "Luc Côté", "email": "l@cote.example", "phone": null }),
                0,
            ),
        ];
        for (label, now, others) in cases {
            let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
            let found = contradictions(&telling, &object(&stood), &object(&now));
            assert_eq!(found.len(), others, "{label}: {found:?}");
        }
    }
}
