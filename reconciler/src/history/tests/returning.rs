//! Rollbacks, checked by comparing whole tables.

use super::super::{RollbackError, plan_rollback};
use super::*;
use serde_json::json;
use sqlx::PgPool;

/// Ten promotions of every kind; the tables and the state hash after each.
async fn ten(conn: &mut PgConnection) -> Vec<(String, Vec<u8>)> {
    let mut states = vec![(dump_all(conn).await, vec![0; 32])];
    for n in 1..=10_i64 {
        let head = open(conn).await.unwrap();
        let mut clients = Vec::new();
        let mut pianos = Vec::new();
        for id in 0..2_500_i64 {
            // Each row's changes depend only on its id and the promotion's number.
            let name = format!("c{id:05}");
            match (id * 31 + n * 17) % 11 {
                0 => clients.push(removal(&name)),
                1 => clients.push(write(
                    Operation::Tombstone,
                    &client(&name, json!({"name": null, "email": "", "deleted_at": "2026-03-04T05:06:07.123456Z"})),
                )),
                2 | 3 => clients.push(write(
                    Operation::Update,
                    &client(&name, json!({"name": format!("Zoë {n}"), "tags": ["é", null, ""], "balance": 12.50,
                                          "extra": {"deep": [n, null, 1e20]}, "version": n})),
                )),
                4 => pianos.push(write(
                    Operation::Update,
                    &client(&format!("p{id:05}"), json!({"make": format!("Make {n}"), "client_id": null})),
                )),
                _ => {}
            }
        }
        for rows in clients.chunks(1_000) {
            apply_images(conn, head.number, "clients", rows)
                .await
                .unwrap();
        }
        apply_images(conn, head.number, "pianos", &pianos)
            .await
            .unwrap();
        let sealed = seal(conn, head.number, &sync()).await.unwrap();
        states.push((dump_all(conn).await, sealed.state_hash));
    }
    states
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn any_of_ten_promotions_comes_back_and_goes_again(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    let mut states = ten(&mut tx).await;
    for n in (0..=9).rev().chain([10, 3, 7]) {
        let sealed = back(&mut tx, n, false).await;
        let (table, hash) = states[n as usize].clone();
        assert_eq!(
            hex::encode(&sealed.state_hash),
            hex::encode(&hash),
            "state hash of {n}"
        );
        assert!(dump_all(&mut tx).await == table, "tables of {n}");
        assert_eq!(sealed.number as usize, states.len());
        states.push((table, hash));
    }
    // The rollback of a rollback: to promotion 12, which rolled back to 8.
    let sealed = back(&mut tx, 12, false).await;
    assert_eq!(sealed.state_hash, states[8].1);
    let head = sealed.number;
    let outcome = rollback(&mut tx, head, "tester", "again", false)
        .await
        .unwrap();
    assert_eq!(outcome, RollbackOutcome::AlreadyThere);
    let found = super::super::verify(&mut tx).await.unwrap();
    assert_eq!((found.broken, found.edited_by_hand), (vec![], vec![]));
    assert_eq!(
        found.state_hash_of_production,
        hex::encode(sealed.state_hash)
    );
}

/// Promotions 1 and 2, then edits by hand of each kind.
async fn edited(conn: &mut PgConnection) -> Sealed {
    create_tables(conn).await;
    run(
        conn,
        "insert into prod.clients (id, name, created_at, updated_at)
               values ('h', 'By hand before', '2026-01-01Z', '2026-01-01Z')",
    )
    .await;
    let first = ["a", "b", "gone"].map(|id| {
        write(
            Operation::Insert,
            &client(id, json!({"name": "one", "email": "1@example.org"})),
        )
    });
    let sealed = promote(conn, &first).await;
    let second = ["a", "b", "gone", "h", "new", "new2"].map(|id| {
        write(
            Operation::Update,
            &client(
                id,
                json!({"name": "two", "email": "2@example.org", "version": 2}),
            ),
        )
    });
    promote(conn, &second).await;
    run(
        conn,
        "update prod.clients set email = 'hand@example.org', tags = '{vip}' where id = 'a';
               update prod.clients set name = 'hand' where id = 'new';
               delete from prod.clients where id = 'gone'",
    )
    .await;
    sealed
}

async fn columns(conn: &mut PgConnection) -> String {
    text(conn, "select string_agg(concat_ws(' ', id, name, email, tags, version), chr(10) order by id) from prod.clients").await
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn edits_by_hand_stay_and_are_listed(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    edited(&mut tx).await;
    let plan = plan_rollback(&mut tx, 1, false).await.unwrap();
    let before = columns(&mut tx).await;
    back(&mut tx, 1, false).await;
    let kept = columns(&mut tx).await;
    insta::assert_snapshot!(
        "edits_by_hand_stay_plan",
        serde_json::to_string_pretty(&plan).unwrap()
    );
    insta::assert_snapshot!("edits_by_hand_stay_rows", format!("{before}\n\n{kept}"));
    // They are now in the ledger, and a rollback restores them.
    let three = dump(&mut tx, "clients").await;
    back(&mut tx, 2, false).await;
    back(&mut tx, 3, false).await;
    assert_eq!(dump(&mut tx, "clients").await, three);
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn edits_by_hand_can_be_given_up(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    edited(&mut tx).await;
    let plan = plan_rollback(&mut tx, 1, true).await.unwrap();
    assert_eq!(plan.kept_local_count, 0);
    back(&mut tx, 1, true).await;
    let rows = columns(&mut tx).await;
    assert_eq!(
        rows,
        "a one 1@example.org 1\nb one 1@example.org 1\ngone one 1@example.org 1\nh By hand before 1"
    );
    let found = super::super::verify(&mut tx).await.unwrap();
    assert_eq!(found.broken, vec![]);
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_table_that_grew_returns_to_the_same_hash(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    let one = promote(
        &mut tx,
        &[write(
            Operation::Insert,
            &client("a", json!({"name": "one"})),
        )],
    )
    .await;
    run(
        &mut tx,
        "set constraints all immediate; alter table prod.clients add phone text",
    )
    .await;
    let rows = [
        write(
            Operation::Update,
            &client("a", json!({"name": "two", "phone": "1"})),
        ),
        write(
            Operation::Insert,
            &client("b", json!({"name": "two", "phone": "2"})),
        ),
    ];
    promote(&mut tx, &rows).await;
    let sealed = back(&mut tx, 1, false).await;
    assert_eq!(sealed.state_hash, one.state_hash);
    let found = super::super::verify(&mut tx).await.unwrap();
    assert_eq!((found.broken, found.edited_by_hand), (vec![], vec![]));
    assert_eq!(found.state_hash_of_production, hex::encode(one.state_hash));
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn unique_values_go_back_to_their_rows(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    run(
        &mut tx,
        "create unique index clients_email_unique on prod.clients (email) where deleted_at is null",
    )
    .await;
    let row = |id, email: &str| write(Operation::Update, &client(id, json!({"email": email})));
    let one = promote(&mut tx, &[row("a", "x"), row("b", "y"), row("c", "z")]).await;
    let table = dump(&mut tx, "clients").await;
    promote(&mut tx, &[row("a", "free")]).await;
    promote(&mut tx, &[row("b", "x")]).await;
    promote(&mut tx, &[row("c", "y")]).await;
    promote(&mut tx, &[row("a", "z")]).await;
    let kept = "update prod.clients set name = 'hand' where id = 'b'";
    run(&mut tx, kept).await;
    let six = back(&mut tx, 1, false).await;
    assert_eq!(columns(&mut tx).await, "a x 1\nb hand y 1\nc z 1");
    assert_eq!(six.changes, 3);
    let seven = back(&mut tx, 5, true).await;
    assert_eq!(columns(&mut tx).await, "a z 1\nb x 1\nc y 1");
    assert_eq!(seven.number, 7);
    let eight = back(&mut tx, 1, true).await;
    assert_eq!(
        (eight.state_hash, dump(&mut tx, "clients").await),
        (one.state_hash, table)
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn what_stands_in_the_way_is_named(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    promote(
        &mut tx,
        &[write(Operation::Insert, &client("c1", json!({})))],
    )
    .await;
    run(
        &mut tx,
        "insert into prod.pianos (id, client_id) values ('by_hand', 'c1');
                  insert into prod.match_keys values ('clients', 'email', 'x', 'c1')",
    )
    .await;
    tx.commit().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let refused = rollback(&mut tx, 0, "tester", "why", false)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, RollbackError::InTheWay { constraint, .. } if constraint == "pianos_client_id_fkey")
    );
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    for n in [-1, 2] {
        let plan = plan_rollback(&mut tx, n, false).await.unwrap();
        let refused = rollback(&mut tx, n, "tester", "why", false)
            .await
            .unwrap_err();
        assert_eq!(plan.refused, [refused.to_string()]);
    }
    run(&mut tx, "delete from prod.pianos").await;
    back(&mut tx, 0, false).await;
    assert_eq!(
        text(&mut tx, "select count(*)::text from prod.match_keys").await,
        "0"
    );
}
