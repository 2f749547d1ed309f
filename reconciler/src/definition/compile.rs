//! Compiles one module's folder: its `reconcile` part, contract, rules and mapping.

use fetcher::Module;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use staging::Derivation;

use super::error::{DefinitionError, line_of};
use super::spec::{ModuleFile, ReconcileSpec, Severity, Survivorship, TransformKind};
use super::{merged, scoring};
use crate::contract::Contract;
use crate::entity_resolution::Scoring;
use crate::mapping::{Expression, Mapping, Predicate, Seen};
use crate::ownership::Ownership;
use crate::transforms::Typed;
use crate::{Rejection, Row};

/// One compiled module.
pub struct Definition {
    /// The module as loaded.
    pub module: Module,
    /// Its `reconcile` part.
    pub spec: ReconcileSpec,
    /// Its contract.
    pub contract: Contract,
    /// Matching by score, if the module declares it.
    pub scoring: Option<Scoring>,
    /// The survivorship of its table, if one of the table's modules declares it.
    pub(crate) survivorship: Option<Survivorship>,
    /// The compiled rules, in declared order.
    rules: Vec<Predicate>,
    /// The corrections of the rule of the same index, for `severity: fix`.
    fixes: Vec<Option<Mapping>>,
    /// A digest of all files of the folder; when it changes, the module's records are replayed.
    pub fingerprint: String,
    transform: Transform,
    merged_into: Option<Mapping>,
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

    /// Runs the rules on a row that the contract accepted. Returns the warnings as (code, why).
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

    /// Transforms a record of the module `origin` to a row; `None` if the record has no row for this module.
    pub fn transform(&self, origin: &str, payload: &str) -> Result<Option<Row>, Rejection> {
        match &self.transform {
            Transform::Typed(typed) if origin == self.name() => {
                typed.transform(payload, &self.zone).map(Some)
            }
            Transform::Typed(typed) => typed.derive(origin, payload, &self.zone),
            Transform::Mapped(mapping) => mapping.apply(payload).map(Some),
        }
    }

    /// The jq mapping, if the module has no typed transform.
    pub fn mapping(&self) -> Option<&Mapping> {
        match &self.transform {
            Transform::Mapped(mapping) => Some(mapping),
            Transform::Typed(_) => None,
        }
    }

    /// The ownership of a column.
    pub fn ownership(&self, column: &str) -> Ownership {
        self.spec
            .ownership
            .get(column)
            .map(|spec| spec.ownership())
            .unwrap_or_default()
    }

    /// The id of the record that this record was merged into at the source; `None` if it was not merged.
    pub(crate) fn merged_into(&self, payload: &str) -> Result<Option<String>, Rejection> {
        let Some(said) = &self.merged_into else {
            return Ok(None);
        };
        match said.apply(payload)?.get(merged::MERGED_INTO) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(id)) => Ok(Some(id.clone()).filter(|id| !id.is_empty())),
            Some(serde_json::Value::Number(id)) => Ok(Some(id.to_string())),
            Some(_) => Err(Rejection::new(
                "merged_into_no_id",
                "`merged_into` in module.yaml gives something that is no id. Correct the expression.",
            )),
        }
    }

    /// The derivation this module needs in staging, if any.
    pub fn derivation(&self) -> Option<Derivation> {
        self.spec.derive.as_ref().map(|derive| Derivation {
            module: self.name().to_owned(),
            from: derive.from.clone(),
            field: derive.field.clone(),
            values: derive.values.clone(),
        })
    }

    pub(super) fn compile(module: &Module, zone: &TimeZone) -> Result<Self, DefinitionError> {
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

    /// Every column that `reconcile` names must be in the contract, except `_columns` for matching.
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

/// jq expressions as written; YAML parses `12` or `true` as values, which are valid jq too.
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
