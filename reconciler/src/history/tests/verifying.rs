//! Tampering is found; edits by hand are told apart from it.

use super::super::verify;
use super::*;
use serde_json::json;
use sqlx::PgPool;

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn tampering_is_named(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    for n in 1..=3 {
        let rows = [
            write(
                Operation::Update,
                &client("a", json!({"name": n.to_string()})),
            ),
            write(Operation::Insert, &client(&format!("b{n}"), json!({}))),
        ];
        promote(&mut tx, &rows).await;
    }
    tx.commit().await.unwrap();
    let mut report = String::new();
    for tampering in [
        "select 1",
        "update history.promotions set reason = 'another' where number = 2",
        "update history.promotions set kind = 'rollback' where number = 2",
        "delete from history.promotions where number = 2",
        "delete from history.changes where number = 2 and entity_id = 'b2'",
        "update history.changes set operation = 'delete' where number = 2 and entity_id = 'b2'",
        "update history.changes set entity_id = 'c2' where number = 2 and entity_id = 'b2'",
        "update history.objects set image = image || '{\"name\": \"4\"}' where image ->> 'name' = '3'",
        "delete from history.objects where image ->> 'name' = '3'",
        "update history.head set state_hash = sha256('x')",
        "delete from history.promotions where number = 3",
        "update history.head set number = 2, hash = (select hash from history.promotions where number = 2)",
        "update prod.clients set name = 'by hand'",
        "insert into prod.clients (id) values ('by hand')",
        "delete from prod.clients where id = 'b1'",
    ] {
        let mut tx = pool.begin().await.unwrap();
        run(&mut tx, tampering).await;
        let found = verify(&mut tx).await.unwrap();
        report += &format!("{tampering}\n");
        for broken in &found.broken {
            let place = if broken.place.starts_with("object") {
                "object"
            } else {
                broken.place.as_str()
            };
            report += &format!("    {place}: {}\n", broken.why);
        }
        for edited in &found.edited_by_hand {
            report += &format!(
                "    {} rows of {} edited by hand\n",
                edited.rows, edited.entity
            );
        }
        let same = found.state_hash_of_ledger == found.state_hash_of_production;
        assert!(
            !found.broken.is_empty() || same == found.edited_by_hand.is_empty(),
            "{tampering}"
        );
    }
    insta::assert_snapshot!(report);
}
