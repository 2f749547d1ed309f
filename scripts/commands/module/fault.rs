//! One fault of a module's folder: place, problem and remedy.

use std::fmt;

use fetcher::{ModuleError, Problem};
use reconciler::DefinitionError;
use reconciler::contract::ContractError;
use reconciler::mapping::MappingError;
use serde::Serialize;

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file.
    pub file: String,
    /// Line from 1, where known.
    pub line: Option<usize>,
    /// Column from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().flatten() {
            write!(f, ":{number}")?;
        }
        write!(
            f,
            ": {}. {}",
            self.problem.trim_end_matches('.'),
            self.remedy
        )
    }
}

impl From<ModuleError> for Fault {
    fn from(e: ModuleError) -> Self {
        Self {
            file: e.file,
            line: e.line,
            column: e.column,
            problem: e.problem,
            remedy: e.remedy,
        }
    }
}

impl From<Problem> for Fault {
    fn from(p: Problem) -> Self {
        let known = |number: usize| (number > 0).then_some(number);
        Self {
            file: p.file,
            line: known(p.line),
            column: known(p.column),
            problem: p.message,
            remedy: p.remedy,
        }
    }
}

impl From<ContractError> for Fault {
    fn from(e: ContractError) -> Self {
        Self {
            file: e.file,
            line: Some(e.line),
            column: Some(e.column),
            problem: e.problem,
            remedy: e.remedy,
        }
    }
}

impl From<MappingError> for Fault {
    fn from(e: MappingError) -> Self {
        let problem = format!("`{}`: {}", e.column, e.problem);
        Self {
            file: e.file,
            line: Some(e.line),
            column: None,
            problem,
            remedy: e.remedy,
        }
    }
}

impl From<DefinitionError> for Fault {
    fn from(e: DefinitionError) -> Self {
        Self {
            file: e.file,
            line: Some(e.line),
            column: None,
            problem: e.problem,
            remedy: e.remedy,
        }
    }
}
