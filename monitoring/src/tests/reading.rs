use std::collections::HashMap;

use sqlx::{Connection, PgPool};

use super::{module, modules, seed};
use crate::{ModuleHealth, Rows, Status, health};

async fn read(pool: &PgPool) -> HashMap<String, ModuleHealth> {
    let mut tx = pool.begin().await.expect("a transaction");
    let health = health(&mut tx, &modules()).await.expect("health");
    health
        .modules
        .into_iter()
        .map(|module| (module.name.clone(), module))
        .collect()
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn nothing_ever_ran(pool: PgPool) {
    let modules = read(&pool).await;
    assert!(
        modules
            .values()
            .all(|module| module.status == Status::Never && module.rows.is_none())
    );
    let mut conn = pool.acquire().await.expect("a connection");
    assert_eq!(
        health(&mut conn, &[]).await.expect("health").status,
        Status::Unknown
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn every_status_is_read_from_the_database(pool: PgPool) {
    seed(&pool).await;
    let modules = read(&pool).await;
    // Hours since the status is what it is; none where it never was anything else.
    let expected = [
        ("users", Status::Ok, Some(26)),
        ("clients", Status::OkQ, Some(5)),
        ("pianos", Status::Failed, Some(9)),
        ("timeline", Status::Running, Some(0)),
        ("measurements", Status::Stuck, Some(0)),
        ("appointments", Status::Blocked, Some(1)),
        ("events", Status::Never, None),
        ("invoices", Status::Late, Some(36)),
        ("estimates", Status::Partial, Some(6)),
        ("contacts", Status::Waiting, Some(0)),
        ("photos", Status::Cancelled, Some(7)),
        ("quotes", Status::Failed, Some(8)),
    ];
    for (name, status, hours) in expected {
        let module = &modules[name];
        assert_eq!(module.status, status, "{name}");
        let now = modules["users"]
            .last_sync
            .map(|at| at.0 + modules["users"].freshness.unwrap_or(0))
            .unwrap_or(0);
        assert_eq!(
            module.since.map(|since| (now - since.0) / 3_600),
            hours,
            "{name}"
        );
    }
    assert_eq!(
        (modules["quotes"].fetch_gap, modules["quotes"].claim_gap),
        (0, 2)
    );
    let clients = &modules["clients"];
    assert_eq!(
        clients.rows,
        Some(Rows {
            count: 4_300,
            exact: true
        })
    );
    assert_eq!(clients.records_pending, 1_234);
    let waiting = clients.waiting;
    assert_eq!(
        (
            waiting.quarantined,
            waiting.parked,
            waiting.in_review,
            waiting.conflicts
        ),
        (2, 1, 0, 1)
    );
    let progress = modules["timeline"].progress.clone().expect("progress");
    assert_eq!(
        (progress.step.as_deref(), progress.pages, progress.fetched),
        (Some("stage"), 2, 200)
    );
    assert_eq!(
        modules["users"]
            .last_failure
            .as_ref()
            .map(|run| &*run.state),
        Some("FAILED")
    );
    assert_eq!(modules["users"].cause, None);
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_table_that_is_being_altered_does_not_hide_the_rest(pool: PgPool) {
    seed(&pool).await;
    let mut other = pool.begin().await.expect("a transaction");
    sqlx::raw_sql("alter table prod.clients add note text")
        .execute(&mut *other)
        .await
        .expect("an alteration");
    let modules = read(&pool).await;
    assert_eq!(modules["clients"].rows, None);
    assert_eq!(modules["clients"].records_pending, 1_234);
    other.rollback().await.expect("an end");
    assert_eq!(
        read(&pool).await["clients"].rows.map(|rows| rows.count),
        Some(4_300)
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn hostile_and_reserved_entities_are_only_names(pool: PgPool) {
    sqlx::raw_sql(r#"create table prod."a""b; drop" (id text, deleted_at timestamptz); insert into prod."a""b; drop" values ('x')"#)
        .execute(&pool)
        .await
        .expect("a table");
    let mut conn = pool.acquire().await.expect("a connection");
    for (entity, rows) in [
        ("a\"b; drop", Some(1)),
        ("identities", None),
        ("'; drop schema prod; --", None),
    ] {
        let info = crate::ModuleInfo {
            entity: entity.into(),
            ..module("users")
        };
        let mut tx = conn.begin().await.expect("a transaction");
        let health = health(&mut tx, &[info]).await.expect("health");
        assert_eq!(
            health.modules[0].rows.map(|rows| rows.count),
            rows,
            "{entity}"
        );
    }
}
