//! A row of production as an image: every column as PostgreSQL renders it in JSON.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_as;

/// The columns of one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Image(pub Map<String, Value>);

impl Image {
    /// The first version of a row, made now.
    pub(crate) fn inserted(id: &str, columns: Map<String, Value>, now: &Value) -> Self {
        let mut image = columns;
        image.insert("id".into(), id.into());
        for column in ["created_at", "updated_at", "synced_at"] {
            image.insert(column.into(), now.clone());
        }
        image.insert("version".into(), 1.into());
        image.insert("is_placeholder".into(), false.into());
        Self(image)
    }

    /// The first version of a parent that was made up so that a child can land.
    pub(crate) fn placeholder(id: &str, columns: Map<String, Value>, now: &Value) -> Self {
        let mut image = Self::inserted(id, columns, now);
        image.0.insert("is_placeholder".into(), true.into());
        image
    }

    /// Makes it the next version, written now.
    pub(crate) fn touch(&mut self, now: &Value) {
        let version = self.0.get("version").and_then(Value::as_i64).unwrap_or(0) + 1;
        self.0.insert("version".into(), version.into());
        self.0.insert("updated_at".into(), now.clone());
        self.0.insert("synced_at".into(), now.clone());
    }

    /// Marks it as deleted now.
    pub(crate) fn delete(&mut self, now: &Value) {
        self.0.insert("deleted_at".into(), now.clone());
    }

    /// Takes the mark of deletion away.
    pub(crate) fn revive(&mut self) {
        self.0.insert("deleted_at".into(), Value::Null);
    }

    /// The row is no placeholder any more.
    pub(crate) fn unmask(&mut self) {
        self.0.insert("is_placeholder".into(), false.into());
    }

    /// Whether it is marked as deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.0.get("deleted_at").is_some_and(|at| !at.is_null())
    }

    /// Whether it was made up for a child.
    pub(crate) fn is_placeholder(&self) -> bool {
        self.0.get("is_placeholder") == Some(&Value::Bool(true))
    }

    /// Whether it was made or changed in the transaction that began `now`.
    pub(crate) fn is_of(&self, now: &Value) -> bool {
        self.0.get("created_at") == Some(now) || self.0.get("updated_at") == Some(now)
    }

    /// A column; null where it is not there.
    pub(crate) fn column(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    /// As JSON.
    pub(crate) fn text(&self) -> Box<RawValue> {
        // A map of JSON values always has a JSON text.
        serde_json::value::to_raw_value(&self.0).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}

/// Production rows by id; locked until the transaction ends where `lock` says so.
pub(crate) async fn read_rows(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
    lock: bool,
) -> sqlx::Result<HashMap<String, Image>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let lock = if lock { " for update" } else { "" };
    let rows: Vec<(String, Json<Image>)> = query_as(AssertSqlSafe(format!(
        "select t.id, to_jsonb(t) from prod.\"{entity}\" t where t.id = any($1) order by t.id{lock}"
    )))
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, row)| (id, row.0)).collect())
}
