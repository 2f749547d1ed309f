//! What is kept of sources between runs: how they stand with us, and the shapes their schemas had.

use serde_json::Value;
use sqlx::PgConnection;

use crate::database::{query, query_as, query_scalar};

/// Keeps how a source stands at the end of a run.
pub async fn keep_standing(
    conn: &mut PgConnection,
    source: &str,
    standing: &Value,
) -> sqlx::Result<()> {
    query(
        "insert into ops.sources (source, standing) values ($1, $2)
         on conflict (source) do update set standing = excluded.standing, standing_at = clock_timestamp()
         where sources.standing is distinct from excluded.standing",
    )
    .bind(source)
    .bind(standing)
    .execute(conn)
    .await?;
    Ok(())
}

/// How each source stood at the end of its last run.
pub async fn standings(conn: &mut PgConnection) -> sqlx::Result<Vec<(String, Value)>> {
    query_as("select source, standing from ops.sources order by source")
        .fetch_all(conn)
        .await
}

/// Keeps the schema a source has just shown.
pub async fn keep_schema(conn: &mut PgConnection, source: &str, sdl: &str) -> sqlx::Result<()> {
    query(
        "insert into ops.sources (source, schema, schema_seen_at) values ($1, $2, clock_timestamp())
         on conflict (source) do update set schema = excluded.schema, schema_seen_at = excluded.schema_seen_at",
    )
    .bind(source)
    .bind(sdl)
    .execute(conn)
    .await?;
    Ok(())
}

/// The account whose data production holds of this source.
pub async fn known_account(conn: &mut PgConnection, source: &str) -> sqlx::Result<Option<String>> {
    let known: Option<Option<String>> =
        query_scalar("select account from ops.sources where source = $1")
            .bind(source)
            .fetch_optional(conn)
            .await?;
    Ok(known.flatten())
}

/// Keeps the account whose data is read from now on.
pub async fn keep_account(
    conn: &mut PgConnection,
    source: &str,
    account: &str,
) -> sqlx::Result<()> {
    query(
        "insert into ops.sources (source, account) values ($1, $2)
         on conflict (source) do update set account = excluded.account
         where sources.account is distinct from excluded.account",
    )
    .bind(source)
    .bind(account)
    .execute(conn)
    .await?;
    Ok(())
}

/// When a source last showed its schema, RFC 3339 in UTC.
pub async fn schema_seen(conn: &mut PgConnection, source: &str) -> sqlx::Result<Option<String>> {
    let seen: Option<Option<String>> = query_scalar(
        "select to_char(schema_seen_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
         from ops.sources where source = $1",
    )
    .bind(source)
    .fetch_optional(conn)
    .await?;
    Ok(seen.flatten())
}

/// The shape a module read by last, unless the module has become another since.
pub async fn known_shape(
    conn: &mut PgConnection,
    module: &str,
    fingerprint: &str,
) -> sqlx::Result<Option<Value>> {
    let found: Option<(Value,)> =
        query_as("select shape from ops.shapes where module = $1 and fingerprint = $2")
            .bind(module)
            .bind(fingerprint)
            .fetch_optional(conn)
            .await?;
    Ok(found.map(|(shape,)| shape))
}

/// Keeps the shape a module reads by now, and what its source's schema has gained since the module was
/// written.
pub async fn keep_shape(
    conn: &mut PgConnection,
    module: &str,
    fingerprint: &str,
    shape: &Value,
    grown: &[String],
) -> sqlx::Result<()> {
    query(
        "insert into ops.shapes (module, fingerprint, shape, grown) values ($1, $2, $3, $4)
         on conflict (module) do update set fingerprint = excluded.fingerprint, shape = excluded.shape,
             seen_at = clock_timestamp(),
             grown = case when shapes.fingerprint = excluded.fingerprint then array(
                     select distinct said from unnest(shapes.grown || excluded.grown) as said order by said)
                     else excluded.grown end
         where (shapes.fingerprint, shapes.shape) is distinct from (excluded.fingerprint, excluded.shape)",
    )
    .bind(module)
    .bind(fingerprint)
    .bind(shape)
    .bind(grown)
    .execute(conn)
    .await?;
    Ok(())
}
