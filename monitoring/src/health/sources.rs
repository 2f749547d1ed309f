//! What should be known of sources before it becomes a failure.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::PgConnection;
use staging::database::query_as;

use super::Instant;

/// The health of one source, as its last run left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SourceHealth {
    /// When its credentials end and must be renewed by a person, as far as known.
    pub credentials_end: Option<Instant>,
    /// Whether that is soon, by the source's `warn_before`.
    pub credentials_end_soon: bool,
}

/// The sources of these names that have been asked already.
pub(super) async fn sources(
    conn: &mut PgConnection,
    names: &[String],
) -> sqlx::Result<BTreeMap<String, SourceHealth>> {
    let rows: Vec<(String, Option<Instant>, bool)> = query_as(
        "select source, floor(extract(epoch from (standing ->> 'credentials_end')::timestamptz))::bigint,
                coalesce((standing ->> 'credentials_warning')::timestamptz <= clock_timestamp(), false)
         from ops.sources where source = any($1)",
    )
    .bind(names)
    .fetch_all(conn)
    .await?;
    let health = |(name, credentials_end, credentials_end_soon)| {
        let health = SourceHealth {
            credentials_end,
            credentials_end_soon,
        };
        (name, health)
    };
    Ok(rows.into_iter().map(health).collect())
}

/// What the schemas of sources have gained since each module was written.
pub(super) async fn grown(
    conn: &mut PgConnection,
    modules: &[String],
) -> sqlx::Result<HashMap<String, Vec<String>>> {
    let rows: Vec<(String, Vec<String>)> =
        query_as("select module, grown from ops.shapes where module = any($1) and grown <> '{}'")
            .bind(modules)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().collect())
}
