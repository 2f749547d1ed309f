//! The admin face: switches, data edits, counts. No credential: the server listens on the loopback address
//! only.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    data::{self, Map},
    faults::{FaultName, FaultSpec, drift::Drift},
    limiter::Limit,
    server::Shared,
    store::{Kind, Store},
};

/// The routes below `/admin`.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/faults", get(faults).post(change_faults))
        .route("/stats", get(stats))
        .route("/reset", post(reset))
        .route("/records", post(records))
        .route("/merge_clients", post(merge_clients))
}

/// `POST /admin/faults`: what to set and what to clear; a bare switch, or a list of them, is set.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Change {
    Both {
        #[serde(default)]
        set: Vec<FaultSpec>,
        #[serde(default)]
        clear: Clear,
    },
    Many(Vec<FaultSpec>),
    One(FaultSpec),
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Clear {
    #[default]
    Nothing,
    These(Vec<FaultName>),
    /// `"all"`
    Word(String),
}

/// Turns a switch on, or makes happen what it stands for.
pub(crate) fn set(shared: &Shared, spec: FaultSpec) -> Result<(), String> {
    if spec.name.is_event() {
        return happen(shared, &spec);
    }
    if spec.name == FaultName::RateLimit {
        Limit::read(&spec.value)?;
    }
    let drifts = Drift::read(&spec).transpose()?.is_some();
    let before = spec.clone();
    shared.board().set(spec);
    if drifts && let Err(problem) = shared.rebuild() {
        shared.board().remove(&before);
        return Err(problem);
    }
    Ok(())
}

fn happen(shared: &Shared, spec: &FaultSpec) -> Result<(), String> {
    let text = |name: &str| spec.value[name].as_str().map(str::to_owned);
    let done = match spec.name {
        FaultName::TokenExpired => {
            shared.auth().expire();
            true
        }
        FaultName::TokenRevoked => {
            shared.auth().revoke();
            true
        }
        FaultName::ClientMerge => {
            let mut store = shared.store_mut();
            let nth = |index: usize| {
                store
                    .rows(Kind::Client)
                    .get(index)
                    .map(|row| store.id(row).into_owned())
                    .unwrap_or_default()
            };
            let (source, target) = (
                text("source").unwrap_or_else(|| nth(1)),
                text("target").unwrap_or_else(|| nth(0)),
            );
            store.merge_clients(&source, &target)
        }
        FaultName::IdReuse => reuse_id(&mut shared.store_mut(), &spec.value),
        _ => edit_oldest(
            &mut shared.store_mut(),
            &spec.value,
            shared.options.now.as_second(),
        ),
    };
    if done {
        Ok(())
    } else {
        Err(format!(
            "{} found no record for its value; check the ids",
            spec.name.as_str()
        ))
    }
}

fn reuse_id(store: &mut Store, value: &Value) -> bool {
    let kind = serde_json::from_value(value["kind"].clone()).unwrap_or(Kind::Piano);
    let nth = |index: usize| {
        store
            .rows(kind)
            .get(index)
            .map(|row| store.id(row).into_owned())
            .unwrap_or_default()
    };
    let from = value["from"].as_str().map_or_else(|| nth(0), str::to_owned);
    let to = value["to"].as_str().map_or_else(|| nth(1), str::to_owned);
    let Some(mut heir) = store
        .find(kind, &to)
        .map(|row| store.view(row).into_owned())
    else {
        return false;
    };
    if from == to || !store.delete(kind, &from) || !store.delete(kind, &to) {
        return false;
    }
    heir.insert("id".into(), from.as_str().into());
    store.upsert(kind, &from, heir);
    true
}

fn edit_oldest(store: &mut Store, value: &Value, now: i64) -> bool {
    let kind = serde_json::from_value(value.clone()).unwrap_or(Kind::Client);
    let age = |map: &Map| {
        ["createdAt", "occurredAt"]
            .iter()
            .find_map(|name| map.get(*name)?.as_str().map(str::to_owned))
    };
    let listed = store.rows(kind).iter().filter(|row| !row.is_unlisted());
    let Some(id) = listed
        .map(|row| store.view(row))
        .min_by_key(|map| age(map))
        .and_then(|map| map.get("id")?.as_str().map(str::to_owned))
    else {
        return false;
    };
    let fields = match kind {
        Kind::Timeline => json!({"comment": "Corrigé aujourd'hui."}),
        Kind::Client => {
            json!({"personalNotes": "Corrigé aujourd'hui.", "createdAt": "2006-06-01T12:00:00Z", "updatedAt": data::instant(now)})
        }
        _ => {
            json!({"notes": "Corrigé aujourd'hui.", "createdAt": "2006-06-01T12:00:00Z", "updatedAt": data::instant(now)})
        }
    };
    store.patch(kind, &id, data::object(fields))
}

async fn faults(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(shared.board().describe())
}

async fn change_faults(State(shared): State<Arc<Shared>>, Json(change): Json<Value>) -> Response {
    match apply(&shared, change) {
        Ok(()) => Json(shared.board().describe()).into_response(),
        Err(problem) => refuse(problem),
    }
}

fn apply(shared: &Shared, change: Value) -> Result<(), String> {
    // Read by hand, so that the message names the field that is wrong.
    let shape = |error: serde_json::Error| {
        format!("{error}; send a switch, a list of switches, or {{set, clear}}")
    };
    let change = if change.is_array() {
        Change::Many(serde_json::from_value(change).map_err(shape)?)
    } else if change.get("name").is_some() {
        Change::One(serde_json::from_value(change).map_err(shape)?)
    } else {
        serde_json::from_value(change).map_err(shape)?
    };
    let (set, clear) = match change {
        Change::Both { set, clear } => (set, clear),
        Change::Many(set) => (set, Clear::Nothing),
        Change::One(spec) => (vec![spec], Clear::Nothing),
    };
    match clear {
        Clear::Nothing => {}
        Clear::These(names) => names
            .into_iter()
            .for_each(|name| shared.board().clear(Some(name))),
        Clear::Word(word) if word == "all" => shared.board().clear(None),
        Clear::Word(word) => shared.board().clear(Some(word.parse()?)),
    }
    shared.rebuild()?;
    set.into_iter().try_for_each(|spec| self::set(shared, spec))
}

async fn stats(State(shared): State<Arc<Shared>>) -> Json<Value> {
    Json(json!(*shared.stats()))
}

async fn reset(State(shared): State<Arc<Shared>>) -> Response {
    match shared.reset() {
        Ok(()) => Json(json!({"ok": true})).into_response(),
        Err(problem) => refuse(problem),
    }
}

/// `POST /admin/records`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    op: Op,
    kind: Kind,
    id: String,
    #[serde(default)]
    value: Map,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Op {
    Upsert,
    Patch,
    Delete,
}

async fn records(State(shared): State<Arc<Shared>>, Json(edits): Json<Value>) -> Response {
    let edits = if edits.is_array() {
        serde_json::from_value(edits)
    } else {
        serde_json::from_value(edits).map(|edit| vec![edit])
    };
    let edits: Vec<Edit> = match edits {
        Ok(edits) => edits,
        Err(error) => {
            return refuse(format!(
                "{error}; send {{op, kind, id, value}} or a list of them"
            ));
        }
    };
    let mut store = shared.store_mut();
    for edit in edits {
        let done = match edit.op {
            Op::Upsert => {
                store.upsert(edit.kind, &edit.id, edit.value);
                true
            }
            Op::Patch => store.patch(edit.kind, &edit.id, edit.value),
            Op::Delete => store.delete(edit.kind, &edit.id),
        };
        if !done {
            return refuse(format!(
                "there is no {:?} {}; check the id",
                edit.kind, edit.id
            ));
        }
    }
    Json(json!({"ok": true})).into_response()
}

#[derive(Debug, Deserialize)]
struct Merge {
    source: String,
    target: String,
}

async fn merge_clients(State(shared): State<Arc<Shared>>, Json(merge): Json<Merge>) -> Response {
    if shared
        .store_mut()
        .merge_clients(&merge.source, &merge.target)
    {
        Json(json!({"ok": true})).into_response()
    } else {
        refuse("source and target must be two known clients; check the ids".to_owned())
    }
}

fn refuse(problem: String) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": problem}))).into_response()
}
