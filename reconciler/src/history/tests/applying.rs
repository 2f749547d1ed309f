//! What `apply_images` writes into tables and ledger.

use super::*;
use serde_json::json;
use sqlx::PgPool;

/// The ledger as text: hashes as the values of two columns.
async fn ledger(conn: &mut PgConnection) -> String {
    text(
        conn,
        "select string_agg(concat_ws(' ', c.number, c.entity_id, c.part, c.operation,
                    coalesce(b.image ->> 'name', '-') || '/' || coalesce(b.image ->> 'email', '-'), '->',
                    coalesce(a.image ->> 'name', '-') || '/' || coalesce(a.image ->> 'email', '-'), c.source_id),
                    chr(10) order by c.number, c.entity_id, c.part)
         from history.changes c
         left join history.objects b on b.hash = c.before left join history.objects a on a.hash = c.after",
    )
    .await
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn rows_and_edits_by_hand_reach_the_ledger(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    run(
        &mut tx,
        "insert into prod.clients (id, name) values ('c9', 'There by hand')",
    )
    .await;
    let mut first = write(
        Operation::Insert,
        &client("c1", json!({"name": "Ève", "email": ""})),
    );
    first.evidence = Some(super::super::Evidence {
        module: "clients".into(),
        source_id: "s1".into(),
        record_hash: vec![7; 32],
        pass_id: 3,
        page: 4,
    });
    promote(
        &mut tx,
        &[
            first,
            write(Operation::Insert, &client("c2", json!({"name": "Bob"}))),
        ],
    )
    .await;
    run(&mut tx, "update prod.clients set email = 'hand@example.org' where id = 'c1'; delete from prod.clients where id = 'c2'").await;
    promote(
        &mut tx,
        &[
            write(
                Operation::Update,
                &client("c1", json!({"name": "Eve", "email": "hand@example.org"})),
            ),
            write(
                Operation::Insert,
                &client("c2", json!({"name": "Bob again"})),
            ),
            write(Operation::Update, &client("c9", json!({"name": "Adopted"}))),
        ],
    )
    .await;
    run(
        &mut tx,
        "set constraints all immediate; alter table prod.clients add phone text",
    )
    .await;
    let sealed = promote(
        &mut tx,
        &[
            removal("c9"),
            write(
                Operation::Tombstone,
                &client(
                    "c2",
                    json!({"name": "Bob again", "deleted_at": "2026-02-01T00:00:00Z"}),
                ),
            ),
            write(
                Operation::Update,
                &client(
                    "c1",
                    json!({"name": "Eve", "email": "hand@example.org", "phone": null}),
                ),
            ),
        ],
    )
    .await;
    assert_eq!((sealed.number, sealed.changes), (3, 3));
    insta::assert_snapshot!(ledger(&mut tx).await);
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_second_change_within_a_promotion_keeps_the_first_before(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    promote(
        &mut tx,
        &[write(
            Operation::Insert,
            &client("c1", json!({"name": "A"})),
        )],
    )
    .await;
    let head = open(&mut tx).await.unwrap();
    for (operation, id, name) in [
        (Operation::Update, "c1", "B"),
        (Operation::Update, "c1", "C"),
        (Operation::Insert, "c2", "D"),
        (Operation::Update, "c2", "E"),
    ] {
        let rows = [write(operation, &client(id, json!({"name": name})))];
        assert_eq!(
            apply_images(&mut tx, head.number, "clients", &rows)
                .await
                .unwrap(),
            1
        );
    }
    let same = [write(
        Operation::Update,
        &client("c2", json!({"name": "E"})),
    )];
    assert_eq!(
        apply_images(&mut tx, head.number, "clients", &same)
            .await
            .unwrap(),
        0
    );
    seal(&mut tx, head.number, &sync()).await.unwrap();
    insta::assert_snapshot!(ledger(&mut tx).await);
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_name_that_is_no_entity_reaches_no_statement(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    for entity in ["identities", "nothing", "clients; drop schema prod"] {
        let refused = apply_images(&mut tx, 1, entity, &[removal("c1")])
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("no entity table"), "{refused}");
    }
}
