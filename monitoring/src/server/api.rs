//! Health as JSON, in the shape that monitors of version 6 read, and in full.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::monitor::Monitor;
use super::snapshot::{Unverified, verified};
use crate::health::{Health, ModuleHealth};
use crate::status::Status;

/// `/api/v1/health`: everything known.
pub(super) async fn v1(State(monitor): State<Monitor>) -> Response {
    let version = monitor.version.clone();
    answer(verified(&monitor).await, |health| {
        json!({
            "status": health.status,
            "verified_at": health.verified_at,
            "version": version,
            "modules": by_name(health, |module| json!(module)),
            "sources": health.sources,
        })
    })
}

/// `/api/v6/health`: four fields per module, and never more, for the monitors that exist.
pub(super) async fn v6(State(monitor): State<Monitor>) -> Response {
    answer(verified(&monitor).await, |health| {
        json!({
            "status": health.status,
            "modules": by_name(health, |module| json!({
                "last_sync": module.last_sync,
                "freshness": module.freshness,
                "status": module.status,
                "records_pending": module.records_pending,
            })),
        })
    })
}

fn by_name(health: &Health, shape: impl Fn(&ModuleHealth) -> Value) -> Map<String, Value> {
    health
        .modules
        .iter()
        .map(|module| (module.name.clone(), shape(module)))
        .collect()
}

fn answer(health: Result<Health, Unverified>, shape: impl FnOnce(&Health) -> Value) -> Response {
    match health {
        Ok(health) => Json(shape(&health)).into_response(),
        Err(_) => {
            let detail =
                "The database does not answer, so nothing could be verified. Run `concord doctor`.";
            let body = json!({ "status": Status::Unknown, "detail": detail, "modules": {} });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
        }
    }
}
