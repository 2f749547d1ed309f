//! From the text of a module's folder to what the reconciler runs.

use std::collections::BTreeMap;

use fetcher::Module;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use staging::Derivation;

use super::spec::{ModuleFile, ReconcileSpec, Severity, TransformKind};
use super::{merged, order, scoring, surviving};
use crate::contract::{Contract, ContractError, Place, position_of};
use crate::entity_resolution::Scoring;
use crate::local_day::zone_named;
use crate::mapping::{Expression, Mapping, MappingError, Predicate, Seen};
use crate::ownership::Ownership;
use crate::survivorship::Survivorship;
use crate::transforms::Typed;
use crate::{Rejection, Row};

/// A module whose `reconcile` part or contract cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}. {remedy}")]
pub struct DefinitionError {
    /// The file at fault.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl From<ContractError> for DefinitionError {
    fn from(e: ContractError) -> Self {
        Self {
            file: e.file,
            line: e.line,
            problem: e.problem,
            remedy: e.remedy,
        }
    }
}

impl From<MappingError> for DefinitionError {
    fn from(e: MappingError) -> Self {
        let problem = format!("{} ({})", e.problem.trim_end_matches('.'), e.column);
        Self {
            file: e.file,
            line: e.line,
            problem,
            remedy: e.remedy,
        }
    }
}

/// One module, ready to reconcile.
pub struct Definition {
    /// The module as loaded.
    pub module: Module,
    /// Its `reconcile` part.
    pub spec: ReconcileSpec,
    /// Its contract.
    pub contract: Contract,
    /// Matching by score, where the module has it.
    pub scoring: Option<Scoring>,
    /// Whose word stands in its table, where one of the table's modules declares it.
    pub(crate) survivorship: Option<Survivorship>,
    /// The rules, compiled, in the order written.
    rules: Vec<Predicate>,
    /// With `severity: fix`, the corrections of the rule of the same index.
    fixes: Vec<Option<Mapping>>,
    /// Of all files of the folder: another one replays the module's records.
    pub fingerprint: String,
    transform: Transform,
    pub(super) merged_into: Option<Mapping>,
    zone: TimeZone,
}

enum Transform {
    Typed(Typed),
    Mapped(Mapping),
}

impl Definition {
    /// The module's name.
    pub fn name(&self) -> &str {
        &self.module.name
    }

    /// The production table's name.
    pub fn entity(&self) -> &str {
        &self.contract.entity
    }

    /// Runs the rules on a row that the contract has accepted. Returns those that fired without setting the
    /// record aside, as (code, why).
    pub fn run_rules(&self, row: &mut Row) -> Result<Vec<(String, String)>, Rejection> {
        let mut warnings = Vec::new();
        let mut seen = Seen::new(row);
        for (index, rule) in self.spec.rules.iter().enumerate() {
            if !self.rules[index].holds(&seen)? {
                continue;
            }
            match rule.severity {
                Severity::Quarantine => return Err(Rejection::new(&rule.code, &rule.why)),
                Severity::Warn => warnings.push((rule.code.clone(), rule.why.clone())),
                Severity::Fix => {
                    if let Some(fix) = &self.fixes[index] {
                        let text = serde_json::to_string(row).map_err(|_| {
                            Rejection::new(&rule.code, "The row cannot be written as JSON.")
                        })?;
                        row.0.extend(fix.apply(&text)?.0);
                        *row = self.contract.check_partial(row)?;
                        seen = Seen::new(row);
                    }
                }
            }
        }
        Ok(warnings)
    }

    /// The row that a record of the module `origin` becomes; `None` where it holds none for this module.
    pub fn transform(&self, origin: &str, payload: &str) -> Result<Option<Row>, Rejection> {
        match &self.transform {
            Transform::Typed(typed) if origin == self.name() => {
                typed.transform(payload, &self.zone).map(Some)
            }
            Transform::Typed(typed) => typed.derive(origin, payload, &self.zone),
            Transform::Mapped(mapping) => mapping.apply(payload).map(Some),
        }
    }

    /// The mapping of a module that is only a folder.
    pub fn mapping(&self) -> Option<&Mapping> {
        match &self.transform {
            Transform::Mapped(mapping) => Some(mapping),
            Transform::Typed(_) => None,
        }
    }

    /// Who may write a column.
    pub fn ownership(&self, column: &str) -> Ownership {
        self.spec
            .ownership
            .get(column)
            .map(|spec| spec.ownership())
            .unwrap_or_default()
    }

    /// The derivation this module asks of staging, if any.
    pub fn derivation(&self) -> Option<Derivation> {
        self.spec.derive.as_ref().map(|derive| Derivation {
            module: self.name().to_owned(),
            from: derive.from.clone(),
            field: derive.field.clone(),
            values: derive.values.clone(),
        })
    }

    fn compile(module: &Module, zone: &TimeZone) -> Result<Self, DefinitionError> {
        let file = format!("{}/module.yaml", module.folder.display());
        let parsed: ModuleFile =
            serde_norway::from_str(&module.yaml).map_err(|e| DefinitionError {
                file: file.clone(),
                line: e.location().map_or(1, |at| at.line()),
                problem: e.to_string(),
                remedy: "Compare with docs/MODULES.md, which lists every key of `reconcile`."
                    .into(),
            })?;
        let spec = parsed.reconcile;
        let contract = Contract::parse(
            &format!("{}/contract.yaml", module.folder.display()),
            &module.contract_yaml,
        )?;
        let transform = transform_of(module, &file, &spec)?;
        let line = |path: &[&str]| line_of(&module.yaml, path);
        let mut rules = Vec::new();
        let mut fixes = Vec::new();
        for (index, rule) in spec.rules.iter().enumerate() {
            let at = line(&["reconcile", "rules", &index.to_string()]);
            rules.push(Predicate::compile(&file, at, &rule.code, &rule.when)?);
            let fix = (rule.severity == Severity::Fix)
                .then(|| Mapping::compile(&file, &expressions(&rule.set, |_| at)))
                .transpose()?;
            fixes.push(fix);
        }
        let at = line(&["reconcile", merged::MERGED_INTO]);
        let merged_into = merged::compile(&file, spec.merged_into.as_ref(), at)?;
        let scoring = scoring::compile(module, &file, &spec, &contract)?;
        let beside = spec.matching.scored.iter().flat_map(|s| [&s.by, &s.model]);
        let beside = beside.filter_map(|name| module.files.get(name));
        let mut digest = Sha256::new();
        for text in [
            env!("CARGO_PKG_VERSION"),
            &module.yaml,
            &module.contract_yaml,
            &module.query,
        ]
        .into_iter()
        .chain(beside.map(AsRef::as_ref))
        {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        let definition = Self {
            module: module.clone(),
            spec,
            contract,
            scoring,
            survivorship: None,
            rules,
            fixes,
            fingerprint: hex::encode(digest.finalize()),
            transform,
            merged_into,
            zone: zone.clone(),
        };
        definition.check_columns(&file, line)?;
        Ok(definition)
    }

    /// Every column that `reconcile` names must be in the contract; matching may use `_columns` of its own.
    fn check_columns(
        &self,
        file: &str,
        line: impl Fn(&[&str]) -> usize,
    ) -> Result<(), DefinitionError> {
        let spec = &self.spec;
        let sections = [
            (
                "map",
                spec.map.keys().map(String::as_str).collect::<Vec<_>>(),
            ),
            (
                "ownership",
                spec.ownership.keys().map(String::as_str).collect(),
            ),
            (
                "references",
                spec.references.keys().map(String::as_str).collect(),
            ),
            (
                "placeholder",
                spec.placeholder.keys().map(String::as_str).collect(),
            ),
        ];
        for (section, columns) in sections {
            for column in columns {
                if self.contract.column(column).is_none() && !column.starts_with('_') {
                    return Err(DefinitionError {
                        file: file.to_owned(),
                        line: line(&["reconcile", section, column]),
                        problem: format!(
                            "`{section}` names the column `{column}`, which contract.yaml does not have"
                        ),
                        remedy: "Correct the name, or add the column to contract.yaml.".into(),
                    });
                }
            }
        }
        Ok(())
    }
}

fn transform_of(
    module: &Module,
    file: &str,
    spec: &ReconcileSpec,
) -> Result<Transform, DefinitionError> {
    if spec.transform == TransformKind::Rust {
        return Typed::named(&module.name).map(Transform::Typed).ok_or_else(|| DefinitionError {
            file: file.to_owned(),
            line: line_of(&module.yaml, &["reconcile", "transform"]),
            problem: format!("no typed transform is registered under the name `{}`", module.name),
            remedy: "Use `transform: map` with a `map` of jq expressions, or add one in reconciler/src/transforms/."
                .into(),
        });
    }
    let mut map = spec.map.clone();
    for (column, reference) in &spec.references {
        if let Some(from) = &reference.from {
            map.insert(column.clone(), from.clone().into());
        }
    }
    let line = |column: &str| line_of(&module.yaml, &["reconcile", "map", column]);
    Ok(Transform::Mapped(Mapping::compile(
        file,
        &expressions(&map, line),
    )?))
}

/// The line of the value at a path of keys and list indices.
pub(super) fn line_of(yaml: &str, path: &[&str]) -> usize {
    let place = |step: &&str| {
        step.parse()
            .map_or_else(|_| Place::Key((*step).to_owned()), Place::Item)
    };
    position_of(yaml, &path.iter().map(place).collect::<Vec<_>>()).0
}

/// jq expressions as written; YAML reads `12` or `true` as values, and both are jq too.
fn expressions(
    map: &serde_json::Map<String, serde_json::Value>,
    line: impl Fn(&str) -> usize,
) -> Vec<Expression> {
    map.iter()
        .map(|(column, jq)| Expression {
            column: column.clone(),
            jq: jq.as_str().map_or_else(|| jq.to_string(), str::to_owned),
            line: line(column),
        })
        .collect()
}

/// All modules, ready to reconcile.
pub struct Definitions {
    by_name: BTreeMap<String, Definition>,
    order: Vec<String>,
}

impl Definitions {
    /// Compiles the modules; `zone` is the IANA name of the account's time zone.
    pub fn compile(modules: &[Module], zone: &str) -> Result<Self, DefinitionError> {
        let zone = zone_named(zone).map_err(|e| DefinitionError {
            file: "concord.toml".into(),
            line: 1,
            problem: e.to_string(),
            remedy: "Use an IANA name such as America/Montreal.".into(),
        })?;
        let mut by_name = BTreeMap::new();
        for module in modules {
            by_name.insert(module.name.clone(), Definition::compile(module, &zone)?);
        }
        surviving::settle(&mut by_name)?;
        let order = order::parents_first(&by_name);
        let definitions = Self { by_name, order };
        definitions.check_neighbours()?;
        Ok(definitions)
    }

    /// The module of that name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(name)
    }

    /// All modules, those that others refer to first.
    pub fn parents_first(&self) -> Vec<&Definition> {
        self.order.iter().map(|name| &self.by_name[name]).collect()
    }

    /// What modules derive from others' records.
    pub fn derivations(&self) -> Vec<Derivation> {
        self.by_name
            .values()
            .filter_map(Definition::derivation)
            .collect()
    }

    fn check_neighbours(&self) -> Result<(), DefinitionError> {
        for definition in self.by_name.values() {
            let references = definition
                .spec
                .references
                .iter()
                .map(|(column, r)| (column.as_str(), &r.to));
            for (place, to) in
                references.chain(definition.spec.derive.iter().map(|d| ("derive", &d.from)))
            {
                if !self.by_name.contains_key(to) {
                    return Err(DefinitionError {
                        file: format!("{}/module.yaml", definition.module.folder.display()),
                        line: line_of(&definition.module.yaml, &["reconcile", "references", place]),
                        problem: format!("`{place}` names the module `{to}`, which is not loaded"),
                        remedy:
                            "Correct the name, or give the folder that holds it with --modules."
                                .into(),
                    });
                }
            }
        }
        Ok(())
    }
}
