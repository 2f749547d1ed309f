//! Survivorship is declared once per table, by one of its modules.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::compile::Definition;
use super::error::{DefinitionError, line_of};

/// Sets the survivorship of a table on all its modules.
pub(super) fn settle(by_name: &mut BTreeMap<String, Definition>) -> Result<(), DefinitionError> {
    let mut declared: BTreeMap<String, String> = BTreeMap::new();
    for definition in by_name.values() {
        check(definition, by_name)?;
        if definition.spec.survivorship.is_none() {
            continue;
        }
        let (table, module) = (definition.entity().to_owned(), definition.name().to_owned());
        if let Some(first) = declared.insert(table, module) {
            return Err(fault(
                definition,
                &[],
                &format!(
                    "`survivorship` of the table `{}` is declared by the module `{first}` too",
                    definition.entity()
                ),
                "Declare it in one of the two; it holds for every module of the table.",
            ));
        }
    }
    for (table, module) in declared {
        let survivorship = by_name[&module].spec.survivorship.clone();
        for definition in by_name.values_mut() {
            if definition.entity() == table {
                definition.survivorship.clone_from(&survivorship);
                // A changed survivorship replays all records of the table, also those of modules that do not
                // declare it.
                let ordered = format!("{} {survivorship:?}", definition.fingerprint);
                definition.fingerprint = hex::encode(Sha256::digest(ordered));
            }
        }
    }
    Ok(())
}

fn check(
    definition: &Definition,
    by_name: &BTreeMap<String, Definition>,
) -> Result<(), DefinitionError> {
    let Some(survivorship) = &definition.spec.survivorship else {
        return Ok(());
    };
    let table = definition.entity();
    for (place, name) in survivorship.trust.iter().enumerate() {
        let is_of_table = by_name.get(name).is_some_and(|of| of.entity() == table);
        let is_twice = survivorship.trust[..place].contains(name);
        if !is_of_table || is_twice {
            let why = if is_twice {
                "twice"
            } else {
                "which is no loaded module of its table"
            };
            return Err(fault(
                definition,
                &["trust", &place.to_string()],
                &format!("`trust` names `{name}`, {why}"),
                &format!(
                    "Name each module that writes the table `{table}` once, the most trusted first."
                ),
            ));
        }
    }
    if let Some(column) = &survivorship.recency
        && definition.contract.column(column).is_none()
    {
        return Err(fault(
            definition,
            &["recency"],
            &format!("`recency` names the column `{column}`, which contract.yaml does not have"),
            "Name the column that says when a record was last changed at its source, or leave it out.",
        ));
    }
    if by_name
        .values()
        .any(|of| of.entity() == table && of.spec.derive.is_some())
    {
        return Err(fault(
            definition,
            &[],
            "`survivorship` does not go with `derive`, whose rows only fill what stands empty",
            "Leave one of the two out.",
        ));
    }
    Ok(())
}

fn fault(definition: &Definition, at: &[&str], problem: &str, remedy: &str) -> DefinitionError {
    let mut path = vec!["reconcile", "survivorship"];
    path.extend(at);
    DefinitionError {
        file: format!("{}/module.yaml", definition.module.folder.display()),
        line: line_of(&definition.module.yaml, &path),
        problem: problem.to_owned(),
        remedy: remedy.to_owned(),
    }
}
