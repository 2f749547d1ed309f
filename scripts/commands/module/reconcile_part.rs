//! Checks the `reconcile` part of a module against its contract and its query.

use std::collections::{BTreeMap, BTreeSet};

use fetcher::{Diagnostic, Module, did_you_mean, nearest, selection_paths};
use reconciler::contract::{Contract, Place, position_of};
use reconciler::definition::{ReconcileSpec, TransformKind};
use reconciler::mapping::{Expression, Mapping, Predicate};
use serde::Deserialize;

use super::fault::{contract_fault, mapping_fault};
use crate::parse_error::explain;

#[derive(Deserialize)]
struct Written {
    reconcile: ReconcileSpec,
}

/// The file being checked, and the faults found so far.
struct Examination<'m> {
    module: &'m Module,
    file: String,
    faults: Vec<Diagnostic>,
}

/// Every fault of the contract and of the `reconcile` part; `known` are the modules that may be referred to.
pub fn reconcile_faults(module: &Module, known: &[&str]) -> Vec<Diagnostic> {
    let file = format!("{}/module.yaml", module.folder.display());
    let mut examination = Examination {
        module,
        file,
        faults: Vec::new(),
    };
    let contract = Contract::parse(
        &format!("{}/contract.yaml", module.folder.display()),
        &module.contract_yaml,
    );
    match serde_norway::from_str::<Written>(&module.yaml) {
        Err(error) => examination.unreadable(&error),
        Ok(Written { reconcile: spec }) => {
            examination.jq(&spec);
            examination.neighbours(&spec, known);
            if let Ok(contract) = &contract {
                examination.columns(&spec, contract);
            }
        }
    }
    let mut faults = examination.faults;
    faults.extend(contract.err().map(contract_fault));
    faults
}

impl Examination<'_> {
    fn unreadable(&mut self, error: &serde_norway::Error) {
        let (problem, remedy) = explain(&error.to_string());
        let at = error.location();
        self.faults.push(
            Diagnostic::of_file(&self.file, problem, remedy)
                .at(at.map(|at| (at.line(), at.column()))),
        );
    }

    fn line(&self, path: &[&str]) -> usize {
        let place = |step: &&str| {
            step.parse()
                .map_or_else(|_| Place::Key((*step).to_owned()), Place::Item)
        };
        position_of(
            &self.module.yaml,
            &path.iter().map(place).collect::<Vec<_>>(),
        )
        .0
    }

    fn fault(&mut self, path: &[&str], problem: String, remedy: impl Into<String>) {
        let line = Some(self.line(path));
        self.faults.push(Diagnostic {
            line,
            ..Diagnostic::of_file(&self.file, problem, remedy)
        });
    }

    /// Each expression by itself, so that one fault does not hide the next.
    fn jq(&mut self, spec: &ReconcileSpec) {
        let selected = selection_paths(self.module);
        let mapped = spec
            .map
            .iter()
            .map(|(column, jq)| (vec!["reconcile", "map", column], column, text_of(jq)));
        let referred = spec.references.iter().filter_map(|(column, reference)| {
            Some((
                vec!["reconcile", "references", column, "from"],
                column,
                reference.from.clone()?,
            ))
        });
        let key = "merged_into".to_owned();
        let merged = spec.merged_into.iter();
        let merged = merged.map(|jq| (vec!["reconcile", "merged_into"], &key, jq.clone()));
        let expressions: Vec<_> = mapped.chain(referred).chain(merged).collect();
        for (path, column, jq) in expressions {
            let expression = Expression {
                column: column.clone(),
                jq,
                line: self.line(&path),
            };
            match Mapping::compile(&self.file, std::slice::from_ref(&expression)) {
                Err(error) => self.faults.push(mapping_fault(error)),
                Ok(mapping) => self.unselected(&path, &mapping, &selected),
            }
        }
        for (index, rule) in spec.rules.iter().enumerate() {
            let at = index.to_string();
            let line = self.line(&["reconcile", "rules", &at]);
            self.faults.extend(
                Predicate::compile(&self.file, line, &rule.code, &rule.when)
                    .err()
                    .map(mapping_fault),
            );
            for (column, jq) in &rule.set {
                let fix = Expression {
                    column: column.clone(),
                    jq: text_of(jq),
                    line,
                };
                self.faults.extend(
                    Mapping::compile(&self.file, &[fix])
                        .err()
                        .map(mapping_fault),
                );
            }
        }
    }

    /// A path that the query does not select would always be absent.
    fn unselected(&mut self, place: &[&str], mapping: &Mapping, selected: &BTreeSet<String>) {
        for (column, path) in mapping.paths() {
            if is_selected(&path, selected) {
                continue;
            }
            let known: Vec<&str> = selected.iter().map(String::as_str).collect();
            let remedy = match nearest(&path, &known) {
                Some(name) => {
                    format!("Did you mean `.{name}`? Otherwise select `{path}` in the query.")
                }
                None => format!("Select `{path}` in the query, or correct the expression."),
            };
            self.fault(
                place,
                format!("`{column}` reads `.{path}`, which the query does not select"),
                remedy,
            );
        }
    }

    fn neighbours(&mut self, spec: &ReconcileSpec, known: &[&str]) {
        let unknown = |to: &str| !known.contains(&to);
        for (column, reference) in &spec.references {
            if unknown(&reference.to) {
                let problem = format!(
                    "`{column}` refers to the module `{}`, which is not loaded",
                    reference.to
                );
                self.fault(
                    &["reconcile", "references", column],
                    problem,
                    module_remedy(&reference.to, known),
                );
            }
        }
        if let Some(derive) = spec.derive.as_ref().filter(|derive| unknown(&derive.from)) {
            let problem = format!(
                "`derive` names the module `{}`, which is not loaded",
                derive.from
            );
            self.fault(
                &["reconcile", "derive"],
                problem,
                module_remedy(&derive.from, known),
            );
        }
    }

    /// Columns that only matching uses begin with `_` and are in no contract.
    fn columns(&mut self, spec: &ReconcileSpec, contract: &Contract) {
        let sections: [(&str, Vec<&String>); 4] = [
            ("map", spec.map.keys().collect()),
            ("ownership", spec.ownership.keys().collect()),
            ("references", spec.references.keys().collect()),
            ("placeholder", spec.placeholder.keys().collect()),
        ];
        for (section, columns) in sections {
            for column in columns {
                self.known_column(&["reconcile", section, column], section, column, contract);
            }
        }
        for (index, key) in spec.matching.keys.iter().enumerate() {
            for column in key.on.iter().chain(&key.distinct) {
                self.known_column(
                    &["reconcile", "match", "keys", &index.to_string()],
                    "match",
                    column,
                    contract,
                );
            }
        }
        for (index, rule) in spec.rules.iter().enumerate() {
            for column in rule.set.keys() {
                self.known_column(
                    &["reconcile", "rules", &index.to_string()],
                    "rules",
                    column,
                    contract,
                );
            }
        }
        if let Some((read, column, _)) = self.module.fetch.mark() {
            let block = read.as_str();
            self.known_column(&["fetch", block], block, column, contract);
        }
        if spec.transform == TransformKind::Map {
            self.required(spec, contract);
        }
    }

    fn known_column(&mut self, place: &[&str], section: &str, column: &str, contract: &Contract) {
        if contract.column(column).is_some() || column.starts_with('_') {
            return;
        }
        let known: Vec<&str> = contract
            .columns
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        let remedy = match nearest(column, &known) {
            Some(name) => {
                format!("Did you mean `{name}`? Otherwise add the column to contract.yaml.")
            }
            None => "Add the column to contract.yaml, or correct the name.".to_owned(),
        };
        self.fault(
            place,
            format!("`{section}` names the column `{column}`, which contract.yaml does not have"),
            remedy,
        );
    }

    fn required(&mut self, spec: &ReconcileSpec, contract: &Contract) {
        let from: BTreeMap<&str, bool> = spec
            .references
            .iter()
            .map(|(column, reference)| (column.as_str(), reference.from.is_some()))
            .collect();
        for column in contract
            .columns
            .iter()
            .filter(|column| column.required && column.name != "id")
        {
            let name = column.name.as_str();
            if !spec.map.contains_key(name) && from.get(name) != Some(&true) {
                let problem = format!("the contract requires `{name}`, and nothing maps it");
                self.fault(
                    &["reconcile", "map"],
                    problem,
                    format!("Add `{name}:` to `map`, or drop `required` in contract.yaml."),
                );
            }
        }
    }
}

/// YAML reads `12` or `true` as values, and both are jq too.
fn text_of(jq: &serde_json::Value) -> String {
    jq.as_str().map_or_else(|| jq.to_string(), str::to_owned)
}

fn module_remedy(given: &str, known: &[&str]) -> String {
    let otherwise = "Correct the name, or give the folder that holds it with --modules.";
    did_you_mean(given, known, otherwise)
}

/// A path is there where the query selects it, or selects something above it as a whole (a JSON scalar).
fn is_selected(path: &str, selected: &BTreeSet<String>) -> bool {
    let is_inner = |above: &str| {
        selected.iter().any(|other| {
            other
                .strip_prefix(above)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let mut above = path;
    loop {
        if selected.contains(above) {
            return above.len() == path.len() || !is_inner(above);
        }
        match above.rfind('.') {
            Some(dot) => above = &above[..dot],
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_selected_itself_or_within_a_whole() {
        let selected: BTreeSet<String> = ["id", "contact", "contact.email", "attributes"]
            .map(str::to_owned)
            .into();
        let cases = [
            ("id", true),
            ("contact", true),
            ("contact.email", true),
            ("contact.phone", false),
            ("attributes.finish.colour", true),
            ("name", false),
            ("attribute", false),
        ];
        for (path, expected) in cases {
            assert_eq!(is_selected(path, &selected), expected, "{path}");
        }
    }
}
