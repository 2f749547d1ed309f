//! `POST /graphql/private/`: one request from the limiter to the last byte.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, header},
    response::Response,
};
use serde_json::json;

use crate::{
    auth::API_KEY,
    faults::{Effects, FaultName},
    graphql::request::{self, Body, Parsed},
    interference, limiter,
    server::Shared,
};

/// The handler.
pub(crate) async fn graphql(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parsed = serde_json::from_slice::<Body>(&body)
        .map_err(|error| {
            request::failure(&[
                json!({"message": format!("The request body is not readable: {error}")}),
            ])
        })
        .and_then(Parsed::read);
    let operations = parsed
        .as_ref()
        .map(|parsed| parsed.operations.clone())
        .unwrap_or_default();
    let answer = answer(&shared, &headers, parsed, &operations).await;
    shared
        .stats()
        .graphql(&operations, answer.status().as_u16());
    answer
}

async fn answer(
    shared: &Shared,
    headers: &HeaderMap,
    parsed: Result<Parsed, Vec<u8>>,
    operations: &[String],
) -> Response {
    let metered = limiter::meter(shared, operations);
    if let Some(refusal) = metered.as_ref().and_then(limiter::Metered::refusal) {
        return refusal;
    }
    if let Some(answer) = interference::instead(shared, operations) {
        return answer;
    }
    if !is_allowed(shared, headers)
        || shared
            .board()
            .take(FaultName::Unauthorized, operations)
            .is_some()
    {
        let mut refusal = interference::plain(
            401,
            "application/json",
            r#"{"error":"The access token is invalid or has expired"}"#,
        );
        refusal.headers_mut().insert(
            header::WWW_AUTHENTICATE,
            header::HeaderValue::from_static("Bearer error=\"invalid_token\""),
        );
        return refusal;
    }
    if let Some(refusal) = parsed
        .as_ref()
        .ok()
        .and_then(|parsed| picky(shared, parsed))
    {
        return refusal;
    }
    let bytes = match parsed {
        Ok(parsed) => match stale(shared, operations) {
            Some(last) => last,
            None => {
                let bytes = run(shared, &parsed).await;
                shared.last().insert(operations.to_vec(), bytes.clone());
                bytes
            }
        },
        Err(refusal) => refusal,
    };
    match metered {
        Some(metered) => {
            let bytes = metered.priced(bytes);
            metered.labelled(interference::dressed(shared, operations, 200, bytes))
        }
        None => interference::dressed(shared, operations, 200, bytes),
    }
}

/// The last answer once more, where the switch is on and there is one.
fn stale(shared: &Shared, operations: &[String]) -> Option<Vec<u8>> {
    shared.board().take(FaultName::StaleAnswer, operations)?;
    shared.last().get(operations).cloned()
}

/// The refusal of a source that does not take what it was asked.
fn picky(shared: &Shared, parsed: &Parsed) -> Option<Response> {
    let (board, operations) = (|| shared.board(), &parsed.operations);
    let variable = |name: &str| parsed.body.variables.as_ref()?.get(name);
    let complaint = |message: String| {
        let body = request::failure(&[json!({ "message": message })]);
        interference::plain(200, "application/json", body)
    };
    if parsed.introspects()
        && board()
            .take(FaultName::IntrospectionOff, operations)
            .is_some()
    {
        return Some(complaint("GraphQL introspection is not allowed".to_owned()));
    }
    if variable("after").is_some_and(|after| !after.is_null())
        && board().take(FaultName::CursorRefused, operations).is_some()
    {
        return Some(complaint("Invalid cursor".to_owned()));
    }
    let asked = variable("first").and_then(serde_json::Value::as_u64)?;
    let fault = board().take(FaultName::PageTooLarge, operations)?;
    let above = fault["above"].as_u64().unwrap_or(10);
    if asked <= above {
        return None;
    }
    Some(match fault["status"].as_u64().unwrap_or(400) {
        200 => complaint(format!(
            "Query has complexity of {}, which exceeds max complexity of {}",
            asked * 50,
            above * 50
        )),
        status => interference::plain(
            u16::try_from(status).unwrap_or(400),
            "text/plain",
            "too much",
        ),
    })
}

async fn run(shared: &Shared, parsed: &Parsed) -> Vec<u8> {
    let graph = shared.graph();
    if let Some(done) = parsed.validate(&graph).await {
        return done;
    }
    let effects = {
        let store = shared.store();
        Effects::take(
            &mut shared.board(),
            &parsed.operations,
            &store,
            shared.options.page_cap,
        )
    };
    match parsed.plan(&graph, &effects) {
        Err(refusal) => refusal,
        Ok((OperationType::Mutation, plan)) => {
            request::mutate(&mut shared.store_mut(), &plan, &effects)
        }
        Ok((_, plan)) => request::execute(&shared.store(), &plan, &effects),
    }
}

fn is_allowed(shared: &Shared, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| value.strip_prefix("Bearer "));
    match (text("x-gazelle-api-key"), bearer) {
        (Some(key), None) => key == API_KEY,
        (None, Some(token)) => shared.auth().accepts(token),
        // Both at once, or neither, is no credential.
        _ => false,
    }
}
