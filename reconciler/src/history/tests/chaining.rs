//! Numbers, the lock of the head, and the log.

use super::super::log;
use super::*;
use serde_json::json;
use sqlx::PgPool;

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_promotion_that_was_not_committed_leaves_no_gap(pool: PgPool) {
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
    tx.commit().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let lost = promote(
        &mut tx,
        &[write(
            Operation::Update,
            &client("c1", json!({"name": "B"})),
        )],
    )
    .await;
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let kept = promote(
        &mut tx,
        &[write(
            Operation::Update,
            &client("c1", json!({"name": "C"})),
        )],
    )
    .await;
    assert_eq!((lost.number, kept.number), (2, 2));
    assert!(matches!(
        seal(&mut tx, 5, &sync()).await,
        Err(sqlx::Error::RowNotFound)
    ));
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn promotions_at_once_happen_one_after_the_other(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    tx.commit().await.unwrap();
    let tasks = (0..4).map(|task| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut numbers = Vec::new();
            for round in 0..5 {
                let mut tx = pool.begin().await.unwrap();
                let row = client(&format!("c{task}"), json!({"name": format!("{round}")}));
                numbers.push(
                    promote(&mut tx, &[write(Operation::Update, &row)])
                        .await
                        .number,
                );
                tx.commit().await.unwrap();
            }
            numbers
        })
    });
    let mut numbers = Vec::new();
    for task in futures::future::join_all(tasks).await {
        numbers.extend(task.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).collect::<Vec<i64>>());
    let mut tx = pool.begin().await.unwrap();
    let found = super::super::verify(&mut tx).await.unwrap();
    assert_eq!((found.promotions, found.broken), (20, vec![]));
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn the_log_counts_by_operation(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    let rows =
        ["c1", "c2", "c3"].map(|id| write(Operation::Insert, &client(id, json!({"name": id}))));
    promote(&mut tx, &rows).await;
    run(
        &mut tx,
        "update prod.clients set email = 'hand@example.org' where id = 'c1'",
    )
    .await;
    promote(
        &mut tx,
        &[
            removal("c1"),
            write(Operation::Update, &client("c2", json!({"name": "two"}))),
        ],
    )
    .await;
    back(&mut tx, 1, true).await;
    let entries = log(&mut tx, 10, None).await.unwrap();
    insta::assert_json_snapshot!(entries, { "[].created_at" => "[time]" });
    assert_eq!(log(&mut tx, 1, Some(2)).await.unwrap()[0].number, 1);
}
