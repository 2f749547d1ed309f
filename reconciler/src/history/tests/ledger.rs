//! Two test tables, and promotions of them.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use sqlx::PgConnection;

use super::super::{
    Operation, Promotion, PromotionKind, RollbackError, RollbackOutcome, RowWrite, Sealed,
    apply_images, open, restore_rows, seal,
};

/// Two tables that refer to each other, as contracts would make them.
pub(super) async fn create_tables(conn: &mut PgConnection) {
    let audit = "created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
         synced_at timestamptz, deleted_at timestamptz, version bigint not null default 1,
         is_placeholder boolean not null default false";
    for table in [
        format!(
            "create table prod.clients (id text primary key, name text, email text, tags text[], balance numeric(10,2), extra jsonb, {audit})"
        ),
        format!(
            "create table prod.pianos (id text primary key, client_id text
                     references prod.clients deferrable initially deferred, make text, {audit})"
        ),
    ] {
        run(conn, &table).await;
    }
}

pub(super) async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .expect(sql);
}

pub(super) async fn text(conn: &mut PgConnection, sql: &str) -> String {
    let text: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_one(conn)
        .await
        .expect(sql);
    text.unwrap_or_default()
}

/// A whole table as text.
pub(super) async fn dump(conn: &mut PgConnection, table: &str) -> String {
    text(
        conn,
        &format!("select string_agg(t::text, chr(10) order by t.id) from prod.{table} t"),
    )
    .await
}

pub(super) fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("a value is JSON")
}

/// A client as the engine would write it.
pub(super) fn client(id: &str, columns: Value) -> Value {
    let mut image = serde_json::json!({
        "id": id, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T03:04:05.678901Z",
        "version": 1, "is_placeholder": false,
    });
    for (name, value) in columns.as_object().expect("columns are an object") {
        image[name] = value.clone();
    }
    image
}

pub(super) fn write(operation: Operation, image: &Value) -> RowWrite {
    RowWrite {
        entity_id: image["id"]
            .as_str()
            .expect("an image has its id")
            .to_owned(),
        image: Some(raw(image)),
        operation,
        evidence: None,
    }
}

pub(super) fn removal(id: &str) -> RowWrite {
    RowWrite {
        entity_id: id.to_owned(),
        image: None,
        operation: Operation::Delete,
        evidence: None,
    }
}

pub(super) fn sync() -> Promotion {
    Promotion {
        kind: PromotionKind::Sync,
        module: Some("clients".to_owned()),
        run_id: Some(1),
        target: None,
        actor: "run_sync".to_owned(),
        reason: "tests".to_owned(),
    }
}

/// One promotion of clients.
pub(super) async fn promote(conn: &mut PgConnection, rows: &[RowWrite]) -> Sealed {
    let head = open(conn).await.expect("the head is there");
    apply_images(conn, head.number, "clients", rows)
        .await
        .expect("rows apply");
    seal(conn, head.number, &sync())
        .await
        .expect("the promotion seals")
}

/// A rollback of the rows alone.
pub(super) async fn rollback(
    conn: &mut PgConnection,
    n: i64,
    actor: &str,
    reason: &str,
    discard_local: bool,
) -> Result<RollbackOutcome, RollbackError> {
    let number = open(conn).await?.number;
    let entities = restore_rows(conn, number, n, discard_local).await?;
    let written: bool =
        sqlx::query_scalar("select exists (select from history.changes where number = $1)")
            .bind(number)
            .fetch_one(&mut *conn)
            .await?;
    if !written {
        return Ok(RollbackOutcome::AlreadyThere);
    }
    let promotion = Promotion {
        kind: PromotionKind::Rollback,
        module: None,
        run_id: None,
        target: Some(n),
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    let sealed = seal(conn, number, &promotion).await?;
    Ok(RollbackOutcome::Done { sealed, entities })
}

/// A rollback that must change rows.
pub(super) async fn back(conn: &mut PgConnection, n: i64, discard_local: bool) -> Sealed {
    match rollback(conn, n, "tester", "because", discard_local)
        .await
        .expect("the rollback works")
    {
        RollbackOutcome::Done { sealed, .. } => sealed,
        RollbackOutcome::AlreadyThere => panic!("production was at {n} already"),
    }
}

/// Both tables as text.
pub(super) async fn dump_all(conn: &mut PgConnection) -> String {
    dump(conn, "clients").await + "\n" + &dump(conn, "pianos").await
}
