//! The errors of a module's files as diagnostics.

use fetcher::Diagnostic;
use reconciler::DefinitionError;
use reconciler::contract::ContractError;
use reconciler::mapping::MappingError;

pub fn contract_fault(error: ContractError) -> Diagnostic {
    Diagnostic::of_file(&error.file, error.problem, error.remedy)
        .at(Some((error.line, error.column)))
}

pub fn mapping_fault(error: MappingError) -> Diagnostic {
    let problem = format!("`{}`: {}", error.column, error.problem);
    at_line(&error.file, error.line, problem, error.remedy)
}

pub fn definition_fault(error: DefinitionError) -> Diagnostic {
    at_line(&error.file, error.line, error.problem, error.remedy)
}

fn at_line(file: &str, line: usize, problem: String, remedy: String) -> Diagnostic {
    Diagnostic {
        line: Some(line),
        ..Diagnostic::of_file(file, problem, remedy)
    }
}
