//! The probes of whoever starts and stops the process.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sqlx::PgConnection;
use staging::MIGRATOR;
use staging::database::query_scalar;

use super::monitor::Monitor;
use super::snapshot::look;

/// `/livez`: the process answers. It must not ask the database: restarting us would not mend it.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// `/readyz`: the database answers, its schema is this program's, and leases can be read.
pub(super) async fn readyz(State(monitor): State<Monitor>, RawQuery(query): RawQuery) -> Response {
    let checks = look(&monitor.pool, checks).await.unwrap_or([
        ("database", false),
        ("migrations", false),
        ("leases", false),
    ]);
    let ready = checks.iter().all(|(_, passed)| *passed);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let verbose = query.is_some_and(|query| {
        query
            .split('&')
            .any(|part| part.split('=').next() == Some("verbose"))
    });
    let mut text = String::new();
    if verbose {
        for (name, passed) in checks {
            text.push_str(if passed { "[+] " } else { "[-] " });
            text.push_str(name);
            text.push_str(if passed { " ok\n" } else { " failed\n" });
        }
    }
    text.push_str(if ready {
        "ready\n"
    } else {
        "not ready: run `concord doctor`\n"
    });
    (status, text).into_response()
}

async fn checks(conn: &mut PgConnection) -> sqlx::Result<[(&'static str, bool); 3]> {
    let there: bool = query_scalar("select to_regclass('concord.migrations') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok([("database", true), ("migrations", false), ("leases", false)]);
    }
    let applied: Vec<i64> =
        query_scalar("select version from concord.migrations where success order by version")
            .fetch_all(&mut *conn)
            .await?;
    let current = MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .eq(applied);
    let leases: bool = query_scalar("select to_regclass('ops.leases') is not null")
        .fetch_one(conn)
        .await?;
    Ok([
        ("database", true),
        ("migrations", current),
        ("leases", leases),
    ])
}
