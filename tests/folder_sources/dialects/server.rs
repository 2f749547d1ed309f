//! A GraphQL server over HTTP for any schema: it validates and executes what it is asked, and takes every
//! field's value from a function.

use std::future::IntoFuture;
use std::sync::Arc;

use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::{Execution, FieldError, ObjectValue, ResolveInfo, ResolvedValue};
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::post};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A field of an object that is being answered.
pub struct Field<'f> {
    pub name: &'f str,
    /// The object; null for the root.
    pub of: &'f Value,
    pub arguments: Value,
}

impl Field<'_> {
    /// An integer argument, or `otherwise`.
    pub fn number(&self, argument: &str, otherwise: usize) -> usize {
        let given = self.arguments[argument].as_u64();
        given
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(otherwise)
    }

    /// Elements of `all` as an offset and a limit cut them.
    pub fn window(&self, all: &[Value], offset: usize, limit: usize) -> Vec<Value> {
        all.iter().skip(offset).take(limit).cloned().collect()
    }

    /// A Relay connection over `all`, cut by `first` and `after`, with both `edges` and `nodes`.
    pub fn connection(&self, all: &[Value]) -> Value {
        let start = self.arguments["after"].as_str().map_or(0, |after| {
            after
                .strip_prefix("cursor ")
                .and_then(|at| at.parse().ok())
                .expect("a cursor of this server")
        });
        let nodes = self.window(all, start, self.number("first", 10));
        let end = start + nodes.len();
        let edges: Vec<Value> = nodes
            .iter()
            .zip(start + 1..)
            .map(|(node, at)| json!({ "cursor": format!("cursor {at}"), "node": node }))
            .collect();
        json!({
            "totalCount": all.len(), "nodes": nodes, "edges": edges,
            "pageInfo": { "hasNextPage": end < all.len(), "endCursor": format!("cursor {end}") },
        })
    }
}

/// A field that fails, or an object all of whose fields fail: an error at its place, and null.
pub fn broken(message: &str) -> Value {
    json!({ "$broken": message })
}

/// The value of a field; `None` takes the object's own member of that name.
pub type Resolve = dyn Fn(&Field<'_>) -> Option<Value> + Send + Sync;
/// What stands before every request: an answer of its own, or members to add to the answer.
pub type Gate = dyn Fn() -> Result<Map<String, Value>, Value> + Send + Sync;

/// A running server; it ends with this value.
pub struct Server {
    pub endpoint: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves the schema of a folder of tests/fixtures/dialects.
    pub async fn start(
        dialect: &str,
        gate: impl Fn() -> Result<Map<String, Value>, Value> + Send + Sync + 'static,
        resolve: impl Fn(&Field<'_>) -> Option<Value> + Send + Sync + 'static,
    ) -> Server {
        let file = format!(
            "{}/tests/fixtures/dialects/{dialect}/schema.graphql",
            env!("CARGO_MANIFEST_DIR")
        );
        let sdl = std::fs::read_to_string(&file).unwrap();
        let schema = Schema::parse_and_validate(sdl, file).unwrap();
        let served = Arc::new(Served {
            schema,
            resolve: Box::new(resolve),
            gate: Box::new(gate),
        });
        let handler = move |Json(request): Json<Value>| {
            let answer = served.answer(&request);
            async move { answer }
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}/graphql", listener.local_addr().unwrap());
        let router = Router::new().route("/graphql", post(handler));
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).into_future().await;
        });
        Server { endpoint, task }
    }
}

/// A gate that stands open.
pub fn open() -> Result<Map<String, Value>, Value> {
    Ok(Map::new())
}

struct Served {
    schema: Valid<Schema>,
    resolve: Box<Resolve>,
    gate: Box<Gate>,
}

impl Served {
    fn answer(&self, request: &Value) -> Response {
        match (self.gate)() {
            Err(answer) => Json(answer).into_response(),
            Ok(more) => {
                let mut answer = self.execute(request);
                answer.as_object_mut().unwrap().extend(more);
                Json(answer).into_response()
            }
        }
    }

    fn execute(&self, request: &Value) -> Value {
        let refused = |problem: String| json!({ "errors": [{ "message": problem, "locations": [{ "line": 1, "column": 1 }] }] });
        let query = request["query"].as_str().unwrap_or_default();
        let document = match ExecutableDocument::parse_and_validate(&self.schema, query, "query") {
            Ok(document) => document,
            Err(invalid) => return refused(invalid.errors.to_string()),
        };
        let given: JsonMap =
            serde_json::from_value(request["variables"].clone()).unwrap_or_default();
        let operation = document.operations.get(None).unwrap();
        let variables = match coerce_variable_values(&self.schema, operation, &given) {
            Ok(variables) => variables,
            Err(problem) => return refused(problem.message().to_string()),
        };
        let root = Object {
            kind: operation.object_type().to_string(),
            value: Value::Null,
            resolve: &*self.resolve,
        };
        let answer = Execution::new(&self.schema, &document)
            .coerced_variable_values(&variables)
            .enable_schema_introspection(true)
            .execute_sync(&root);
        match answer {
            Ok(answer) => serde_json::to_value(answer).unwrap(),
            Err(problem) => refused(problem.message().to_string()),
        }
    }
}

struct Object<'o> {
    kind: String,
    value: Value,
    resolve: &'o Resolve,
}

impl ObjectValue for Object<'_> {
    fn type_name(&self) -> &str {
        &self.kind
    }

    fn resolve_field<'a>(
        &'a self,
        info: &'a ResolveInfo<'a>,
    ) -> Result<ResolvedValue<'a>, FieldError> {
        whole(&self.value)?;
        let arguments = serde_json::to_value(info.arguments()).unwrap_or_default();
        let field = Field {
            name: info.field_name(),
            of: &self.value,
            arguments,
        };
        let own = || self.value[field.name].clone();
        let value = (self.resolve)(&field).unwrap_or_else(own);
        whole(&value)?;
        let of = &info.field_definition().ty;
        if let (Value::Array(items), true, Some(ExtendedType::Scalar(_) | ExtendedType::Enum(_))) = (
            &value,
            of.is_list(),
            info.schema().types.get(of.inner_named_type()),
        ) {
            let items: Vec<_> = items.clone();
            let items = items
                .into_iter()
                .map(|item| resolved(item, None, self.resolve));
            return Ok(ResolvedValue::List(Box::new(items)));
        }
        let kind = info
            .schema()
            .get_object(of.inner_named_type())
            .map(|object| object.name.to_string());
        resolved(value, kind, self.resolve)
    }
}

/// Refuses what `broken` made.
fn whole(value: &Value) -> Result<(), FieldError> {
    match value["$broken"].as_str() {
        Some(message) => Err(FieldError {
            message: message.to_owned(),
        }),
        None => Ok(()),
    }
}

/// `kind` is the object type expected; scalars and lists of them have none.
fn resolved<'a>(
    value: Value,
    kind: Option<String>,
    resolve: &'a Resolve,
) -> Result<ResolvedValue<'a>, FieldError> {
    match (value, kind) {
        (Value::Array(items), Some(kind)) => {
            let items = items
                .into_iter()
                .map(move |item| resolved(item, Some(kind.clone()), resolve));
            Ok(ResolvedValue::List(Box::new(items)))
        }
        (value @ Value::Object(_), Some(kind)) => Ok(ResolvedValue::object(Object {
            kind,
            value,
            resolve,
        })),
        (value, _) => Ok(ResolvedValue::Leaf(
            serde_json::from_value(value).unwrap_or_default(),
        )),
    }
}
