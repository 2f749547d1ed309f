//! The two OAuth addresses: an authorize page that agrees at once, and the token endpoint.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use url::Url;

use crate::{
    auth::{CLIENT_ID, Policy, Rotation, TOKEN_TTL},
    faults::FaultName,
    interference,
    server::Shared,
};

/// `GET /developer/oauth/authorize`: redirects with a code and the state it was given.
pub(crate) async fn authorize(
    State(shared): State<Arc<Shared>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let redirect = field("redirect_uri");
    let Ok(mut target) = Url::parse(redirect) else {
        return (StatusCode::BAD_REQUEST, "redirect_uri is not an address").into_response();
    };
    if field("client_id") != CLIENT_ID || field("response_type") != "code" {
        return (
            StatusCode::BAD_REQUEST,
            "unknown client_id, or response_type is not code",
        )
            .into_response();
    }
    let challenge = query
        .get("code_challenge")
        .map(|challenge| (challenge.clone(), field("code_challenge_method") == "S256"));
    let code = shared.auth().code(redirect.to_owned(), challenge);
    target.query_pairs_mut().append_pair("code", &code);
    if let Some(state) = query.get("state") {
        target.query_pairs_mut().append_pair("state", state);
    }
    (StatusCode::FOUND, [(header::LOCATION, target.to_string())]).into_response()
}

/// `POST /developer/oauth/token`.
pub(crate) async fn token(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let operations = ["token".to_owned()];
    if let Some(answer) = interference::instead(&shared, &operations) {
        return answer;
    }
    let policy = {
        let mut board = shared.board();
        Policy {
            rotation: Rotation::read(board.take(FaultName::TokenRotation, &operations).as_ref()),
            ttl: board
                .take(FaultName::TokenTtl, &operations)
                .and_then(|value| value.as_u64())
                .unwrap_or(TOKEN_TTL),
            client_credentials: board
                .take(FaultName::ClientCredentials, &operations)
                .is_some(),
            no_grant: board
                .take(FaultName::UnsupportedGrant, &operations)
                .is_some(),
        }
    };
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let answer = shared.auth().exchange(&form, basic, &policy);
    let grant = form.get("grant_type").cloned().unwrap_or_default();
    let (status, body) = match answer {
        Ok(tokens) => (200, tokens),
        Err((status, error)) => (
            status,
            json!({"error": error, "error_description": description(error)}),
        ),
    };
    shared.stats().token(&grant, status);
    interference::dressed(
        &shared,
        &operations,
        status,
        Value::to_string(&body).into_bytes(),
    )
}

fn description(error: &str) -> &'static str {
    match error {
        "unsupported_grant_type" => {
            "The authorization grant type is not supported by the authorization server."
        }
        "invalid_client" => {
            "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method."
        }
        _ => {
            "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client."
        }
    }
}
