//! A module's matching specification and its trained model, read from its folder.

use std::sync::Arc;

use fetcher::Module;
use matching::model::Model;
use matching::spec::{From, Spec};

use super::error::{DefinitionError, line_of};
use super::spec::ReconcileSpec;
use crate::contract::Contract;
use crate::entity_resolution::Scoring;

/// Reads and checks the files that `match.scored` names; `None` if it is not declared.
pub(super) fn compile(
    module: &Module,
    file: &str,
    spec: &ReconcileSpec,
    contract: &Contract,
) -> Result<Option<Scoring>, DefinitionError> {
    let Some(scored) = &spec.matching.scored else {
        return Ok(None);
    };
    let text = |key: &str, name: &str| -> Result<(String, Arc<str>), DefinitionError> {
        let found = module.files.get(name).cloned();
        let text = found.ok_or_else(|| DefinitionError {
            file: file.to_owned(),
            line: line_of(&module.yaml, &["reconcile", "match", "scored", key]),
            problem: format!("`{key}` names `{name}`, which is not in the module's folder"),
            remedy: "Put the file beside module.yaml; `concord matching train` writes a model for a specification."
                .into(),
        })?;
        Ok((format!("{}/{name}", module.folder.display()), text))
    };
    let (by, yaml) = text("by", &scored.by)?;
    let (model_file, model_text) = text("model", &scored.model)?;
    let declared = Spec::parse(&yaml).map_err(|e| DefinitionError {
        file: by.clone(),
        line: e.location().map_or(1, |at| at.line()),
        problem: e.to_string(),
        remedy: "Compare with docs/MODULES.md, which shows a matching specification.".into(),
    })?;
    check_columns(&declared, &by, &yaml, contract)?;
    let model = read_model(&model_file, &model_text)?;
    if let Some(part) = differs(&declared, &model.spec) {
        return Err(DefinitionError {
            file: model_file,
            line: 1,
            problem: format!(
                "the model was trained for other {part} than {} declares",
                scored.by
            ),
            remedy: format!(
                "Train it again: concord matching train {} RECORDS.csv --model {}.",
                scored.by, scored.model
            ),
        });
    }
    let scoring = Scoring::new(&declared, model, &model_text, scored.within_source);
    scoring.map(Some).map_err(|e| DefinitionError {
        line: line_with(&yaml, &e.text),
        file: by,
        problem: e.to_string(),
        remedy: "Correct this condition or key; docs/MODULES.md lists what there is.".into(),
    })
}

fn read_model(file: &str, text: &str) -> Result<Model, DefinitionError> {
    let fault = |line: usize, problem: String| DefinitionError {
        file: file.to_owned(),
        line,
        problem,
        remedy: "Write the file with `concord matching train`, and do not edit it.".into(),
    };
    if file.ends_with(".json") {
        serde_json::from_str(text).map_err(|e| fault(e.line(), e.to_string()))
    } else {
        serde_norway::from_str(text)
            .map_err(|e| fault(e.location().map_or(1, |at| at.line()), e.to_string()))
    }
}

/// Every column of a field must be in the contract, because production rows are compared, too.
fn check_columns(
    spec: &Spec,
    file: &str,
    yaml: &str,
    contract: &Contract,
) -> Result<(), DefinitionError> {
    for field in &spec.fields {
        let columns: Vec<&String> = match &field.from {
            From::One(column) => vec![column],
            From::Many(columns) => columns.iter().collect(),
            From::Parts(parts) => parts.values().collect(),
        };
        let unknown = columns
            .into_iter()
            .find(|column| contract.column(column).is_none());
        if let Some(column) = unknown {
            return Err(DefinitionError {
                file: file.to_owned(),
                line: line_with(yaml, &format!("field: {}", field.field)),
                problem: format!(
                    "the field `{}` comes from the column `{column}`, which contract.yaml does not have",
                    field.field
                ),
                remedy: "Correct the name, or add the column to contract.yaml.".into(),
            });
        }
    }
    Ok(())
}

/// The part of a specification that must equal the model's; thresholds and blocking keys may change without
/// training.
fn differs(declared: &Spec, trained: &Spec) -> Option<&'static str> {
    if declared.fields != trained.fields {
        return Some("fields");
    }
    if declared.populations != trained.populations {
        return Some("populations");
    }
    (declared.comparisons != trained.comparisons).then_some("comparisons")
}

fn line_with(yaml: &str, text: &str) -> usize {
    yaml.lines()
        .position(|line| line.contains(text))
        .map_or(1, |at| at + 1)
}
