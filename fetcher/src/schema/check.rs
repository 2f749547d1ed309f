//! Checks a query against a schema.

use std::fmt;

use apollo_compiler::validation::DiagnosticList;
use apollo_compiler::{ExecutableDocument, Schema};

/// One fault of a query, with the place to mend and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file the query stands in.
    pub file: String,
    /// Line from 1, or 0 for the whole file.
    pub line: usize,
    /// Column from 1, or 0 for the whole file.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    pub(super) fn of_file(file: &str, message: impl Into<String>, remedy: &str) -> Problem {
        Problem {
            file: file.to_owned(),
            line: 0,
            column: 0,
            message: message.into(),
            remedy: remedy.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: ", self.file)?,
            line => write!(f, "{}:{line}:{}: ", self.file, self.column)?,
        }
        write!(f, "{}. {}", self.message.trim_end_matches('.'), self.remedy)
    }
}

/// Checks a query against a schema in SDL; no problems means the source will accept it.
pub fn check_query(schema_sdl: &str, query: &str, file: &str) -> Vec<Problem> {
    let schema = match Schema::parse_and_validate(schema_sdl, "schema.graphql") {
        Ok(schema) => schema,
        Err(broken) => return problems_of("schema.graphql", &broken.errors),
    };
    match ExecutableDocument::parse_and_validate(&schema, query, file) {
        Ok(_) => Vec::new(),
        Err(broken) => {
            let mut problems = problems_of(file, &broken.errors);
            for problem in &mut problems {
                if let Some(remedy) = nearest_field(&schema, &problem.message) {
                    problem.remedy = remedy;
                }
            }
            problems
        }
    }
}

pub(super) fn problems_of(file: &str, errors: &DiagnosticList) -> Vec<Problem> {
    errors
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.line_column_range();
            Problem {
                file: file.to_owned(),
                line: place.as_ref().map_or(0, |range| range.start.line),
                column: place.as_ref().map_or(0, |range| range.start.column),
                message: diagnostic.error.to_string(),
                remedy: "Correct the query here, or compare it with the source's schema (`concord source introspect`).".to_owned(),
            }
        })
        .collect()
}

/// For "type `T` does not have a field `x`": the nearest field the type does have.
fn nearest_field(schema: &Schema, message: &str) -> Option<String> {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (given, of) = names
        .iter()
        .find_map(|name| Some((names.iter().find(|n| *n != name)?, schema.types.get(*name)?)))?;
    let fields: Vec<&str> = match of {
        apollo_compiler::schema::ExtendedType::Object(object) => {
            object.fields.keys().map(|name| name.as_str()).collect()
        }
        apollo_compiler::schema::ExtendedType::Interface(interface) => {
            interface.fields.keys().map(|name| name.as_str()).collect()
        }
        _ => return None,
    };
    let name = crate::modules::nearest(given, &fields)?;
    Some(format!("Did you mean `{name}`?"))
}
