//! Errors in a module's folder, with their line.

use crate::contract::{ContractError, Place, position_of};
use crate::mapping::MappingError;

/// A module whose `reconcile` part or contract is invalid.
#[derive(Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}. {remedy}")]
pub struct DefinitionError {
    /// The file at fault.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// How to fix it.
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

/// The line of the value at a path of keys and list indices.
pub(super) fn line_of(yaml: &str, path: &[&str]) -> usize {
    let place = |step: &&str| {
        step.parse()
            .map_or_else(|_| Place::Key((*step).to_owned()), Place::Item)
    };
    position_of(yaml, &path.iter().map(place).collect::<Vec<_>>()).0
}
