//! One GraphQL request: validation by async-graphql, its messages put into the vendor's words, then
//! execution.

use std::{cell::RefCell, collections::HashMap};

use async_graphql::{
    Name, Request as Document, Value as Literal, Variables,
    parser::{
        parse_query,
        types::{ExecutableDocument, OperationType, Selection},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    answer::Answer,
    literal::to_literal,
    plan::{Compiler, Plan},
    root,
    schema::Graph,
};
use crate::{data::Map, faults::Effects, store::Store};

/// The JSON body of a request.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Body {
    pub(crate) query: String,
    #[serde(default)]
    pub(crate) variables: Option<Map>,
    #[serde(default, rename = "operationName")]
    pub(crate) operation_name: Option<String>,
}

/// A request whose document could be read.
pub(crate) struct Parsed {
    pub(crate) body: Body,
    document: ExecutableDocument,
    /// The root fields asked for, which is how requests are counted and switches are aimed.
    pub(crate) operations: Vec<String>,
}

impl Parsed {
    /// Reads the document; the error is a complete GraphQL answer.
    pub(crate) fn read(body: Body) -> Result<Parsed, Vec<u8>> {
        let document = parse_query(&body.query)
            .map_err(|error| failure(&[json!({"message": format!("Parse error: {error}")})]))?;
        let mut operations = Vec::new();
        for (_, operation) in document.operations.iter() {
            for item in &operation.node.selection_set.node.items {
                if let Selection::Field(field) = &item.node {
                    operations.push(field.node.name.node.to_string());
                }
            }
        }
        Ok(Parsed {
            body,
            document,
            operations,
        })
    }

    /// Whether it asks about the schema.
    pub(crate) fn introspects(&self) -> bool {
        self.operations
            .iter()
            .any(|name| name == "__schema" || name == "__type")
    }

    /// Validates against the schema; an introspection query is also answered here. Some answer means: done.
    pub(crate) async fn validate(&self, graph: &Graph) -> Option<Vec<u8>> {
        let variables = self
            .body
            .variables
            .iter()
            .flatten()
            .map(|(name, value)| (Name::new(name), to_literal(value)));
        let mut request = Document::new("")
            .variables(Variables::from_value(Literal::Object(variables.collect())));
        if let Some(name) = &self.body.operation_name {
            request = request.operation_name(name);
        }
        request.set_parsed_query(self.document.clone());
        let answer = graph.schema.execute(request).await;
        if self.introspects() {
            return Some(
                serde_json::to_vec(&answer).expect("an answer is always writable to memory"),
            );
        }
        // Errors with a path come from the empty resolvers, which are not ours to run.
        let errors: Vec<Value> = answer
            .errors
            .iter()
            .filter(|error| error.path.is_empty())
            .map(|error| worded(&json!(error)))
            .collect();
        (!errors.is_empty()).then(|| failure(&errors))
    }

    /// The operation and its plan; the error is a complete GraphQL answer.
    pub(crate) fn plan(
        &self,
        graph: &Graph,
        effects: &Effects,
    ) -> Result<(OperationType, Plan), Vec<u8>> {
        let mut compiler = Compiler {
            graph,
            document: &self.document,
            variables: self.body.variables.clone().unwrap_or_default(),
            masks: &effects.masks,
            mismatches: RefCell::default(),
            variable_types: HashMap::new(),
        };
        let planned = compiler.operation(self.body.operation_name.as_deref());
        let mismatches = compiler.mismatches.into_inner();
        let errors: Vec<Value> = mismatches
            .iter()
            .map(|message| json!({"message": message, "extensions": {"code": "variableMismatch"}}))
            .collect();
        if !errors.is_empty() {
            return Err(failure(&errors));
        }
        planned.ok_or_else(|| failure(&[json!({"message": "No operation found to execute"})]))
    }
}

/// Executes a query plan into a complete answer.
pub(crate) fn execute(store: &Store, plan: &Plan, effects: &Effects) -> Vec<u8> {
    if let Some((message, false)) = &effects.errors {
        return failure(&[json!({"message": message})]);
    }
    let mut answer = Answer::new(store, effects);
    answer.out.extend_from_slice(b"{\"data\":");
    if let Err(message) = root::query(&mut answer, plan) {
        return failure(&[json!({"message": message})]);
    }
    if let Some((message, true)) = &effects.errors {
        answer.out.extend_from_slice(b",\"errors\":");
        let path: Vec<&str> = plan
            .steps
            .iter()
            .map(|step| step.field.as_str())
            .take(1)
            .collect();
        answer.json(&json!([{"message": message, "path": path}]));
    }
    answer.out.push(b'}');
    answer.out
}

/// Executes `mergeClients`, the one mutation served.
pub(crate) fn mutate(store: &mut Store, plan: &Plan, effects: &Effects) -> Vec<u8> {
    let mut payloads = Map::new();
    for step in &plan.steps {
        let input = |name: &str| {
            step.arguments
                .get("input")
                .and_then(|input| input[name].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let (source, target) = (input("sourceClientId"), input("targetClientId"));
        let merged = store.merge_clients(&source, &target);
        let error = json!({"fieldName": "sourceClientId", "key": "not_found", "messages": ["Le client est introuvable"], "type": "NOT_FOUND"});
        payloads.insert(
            step.field.clone(),
            if merged {
                json!({"client": target, "mutationErrors": []})
            } else {
                json!({"client": null, "mutationErrors": [error]})
            },
        );
    }
    let mut answer = Answer::new(store, effects);
    answer.out.extend_from_slice(b"{\"data\":");
    answer.object(plan, &payloads);
    answer.out.push(b'}');
    answer.out
}

/// An answer that is only errors.
pub(crate) fn failure(errors: &[Value]) -> Vec<u8> {
    json!({"errors": errors}).to_string().into_bytes()
}

/// A validation error in the vendor's words, where they are known.
fn worded(error: &Value) -> Value {
    let message = error["message"].as_str().unwrap_or_default();
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    let (message, code) = match quoted.as_slice() {
        [field, parent, ..] if message.starts_with("Unknown field") => (
            format!("Field '{field}' doesn't exist on type '{parent}'"),
            "undefinedField",
        ),
        [argument, field, ..] if message.starts_with("Unknown argument") => (
            format!("Field '{field}' doesn't accept argument '{argument}'"),
            "argumentNotAccepted",
        ),
        [_, argument, parent] if message.contains("unknown field") => (
            format!("InputObject '{parent}' doesn't accept argument '{argument}'"),
            "argumentNotAccepted",
        ),
        _ => (message.to_owned(), "invalid"),
    };
    json!({"message": message, "locations": error["locations"], "path": [], "extensions": {"code": code}})
}
