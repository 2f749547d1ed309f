//! A tiny source for tests: GraphQL over HTTP on a free port. It answers the lists that the test sets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

type Records = BTreeMap<String, Vec<Value>>;

/// The source: one list of records for each field name that a query may ask for.
#[derive(Clone, Default)]
pub struct Lists(Arc<Mutex<Records>>);

impl Lists {
    /// Serves the lists until the test ends; gives the address to post queries to.
    pub async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let app = Router::new()
            .route("/graphql", post(answer))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}/graphql")
    }

    /// Replaces a list.
    #[track_caller]
    pub fn set(&self, list: &str, records: Value) {
        let Value::Array(records) = records else {
            panic!("a list of records, not {records}");
        };
        self.lock().insert(list.to_owned(), records);
    }

    /// Adds a record at the end.
    pub fn add(&self, list: &str, record: Value) {
        self.lock().entry(list.to_owned()).or_default().push(record);
    }

    /// Takes a record out; gives it.
    #[track_caller]
    pub fn remove(&self, list: &str, id: &str) -> Value {
        let mut all = self.lock();
        let records = all.get_mut(list).expect("a list");
        let at = records.iter().position(|record| record["id"] == id);
        records.remove(at.unwrap_or_else(|| panic!("{list} has no record {id}")))
    }

    /// Changes fields of a record.
    #[track_caller]
    pub fn patch(&self, list: &str, id: &str, fields: Value) {
        let mut all = self.lock();
        let records = all.get_mut(list).expect("a list");
        let record = records.iter_mut().find(|record| record["id"] == id);
        let record = record.unwrap_or_else(|| panic!("{list} has no record {id}"));
        for (field, value) in fields.as_object().expect("fields") {
            record[field] = value.clone();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every list whose name the query holds. Introspection is switched off, as at many sources.
async fn answer(State(lists): State<Lists>, Json(question): Json<Value>) -> Json<Value> {
    let query = question["query"].as_str().unwrap_or_default();
    if query.contains("__schema") {
        return Json(json!({ "errors": [{ "message": "introspection is disabled" }] }));
    }
    let words: Vec<&str> = query
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let all = lists.lock();
    let asked = all
        .iter()
        .filter(|(list, _)| words.contains(&list.as_str()));
    let data: serde_json::Map<String, Value> = asked
        .map(|(list, records)| (list.clone(), Value::from(records.clone())))
        .collect();
    Json(json!({ "data": data }))
}
