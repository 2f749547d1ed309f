//! Checks a query against a schema.

use crate::diagnostic::Diagnostic;
use crate::nearest::nearest;
use apollo_compiler::validation::DiagnosticList;
use apollo_compiler::{ExecutableDocument, Schema};

/// Checks a query against a schema in SDL; no problems means the source will accept it.
pub fn check_query(schema_sdl: &str, query: &str, file: &str) -> Vec<Diagnostic> {
    let schema = match Schema::parse_and_validate(schema_sdl, "schema.graphql") {
        Ok(schema) => schema,
        Err(broken) => return problems_of("schema.graphql", &broken.errors),
    };
    match ExecutableDocument::parse_and_validate(&schema, query, file) {
        Ok(_) => Vec::new(),
        Err(broken) => {
            let mut problems = problems_of(file, &broken.errors);
            for problem in &mut problems {
                if let Some(remedy) = nearest_field(&schema, &problem.problem) {
                    problem.remedy = remedy;
                }
            }
            problems
        }
    }
}

pub(super) fn problems_of(file: &str, errors: &DiagnosticList) -> Vec<Diagnostic> {
    errors
        .iter()
        .map(|diagnostic| {
            let place = diagnostic.line_column_range();
            Diagnostic::of_file(
                file,
                diagnostic.error.to_string(),
                "Correct the query here, or compare it with the source's schema (`concord source introspect`).",
            )
            .at(place.map(|range| (range.start.line, range.start.column)))
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
    let name = nearest(given, &fields)?;
    Some(format!("Did you mean `{name}`?"))
}
