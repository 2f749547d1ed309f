//! Differences between states, histories of rows, and blame.

use super::super::{Evidence, RowDiff, blame, diff, diff_tally, entity_history, state_at};
use super::*;
use futures::TryStreamExt;
use serde_json::json;
use sqlx::PgPool;

async fn all(conn: &mut PgConnection, a: i64, b: i64) -> Vec<RowDiff> {
    diff(conn, a, b, None, None).try_collect().await.unwrap()
}

fn lines(rows: &[RowDiff]) -> String {
    let mut lines = String::new();
    for row in rows {
        lines += &format!(
            "{} {} {}\n",
            row.operation.as_str(),
            row.entity,
            row.entity_id
        );
        for cell in &row.cells {
            lines += &format!("    {}: {} -> {}\n", cell.column, cell.before, cell.after);
        }
    }
    lines
}

/// Three promotions: all rows inserted; some changed; some removed and one inserted.
async fn three_promotions(conn: &mut PgConnection) -> Sealed {
    let row = |id: &str, columns| write(Operation::Update, &client(id, columns));
    promote(
        conn,
        &[
            row("empty", json!({"name": ""})),
            row("null", json!({"name": null})),
            row("there_and_back", json!({"name": "A"})),
            row("dies", json!({"name": "D"})),
            row("goes", json!({"name": "G", "email": ""})),
        ],
    )
    .await;
    run(
        conn,
        "set constraints all immediate; alter table prod.clients add phone text",
    )
    .await;
    promote(
        conn,
        &[
            row("empty", json!({"name": null, "phone": null})),
            row("null", json!({"name": "", "phone": ""})),
            row("there_and_back", json!({"name": "B", "phone": "1"})),
        ],
    )
    .await;
    promote(
        conn,
        &[
            row(
                "dies",
                json!({"name": "D", "deleted_at": "2026-05-05T00:00:00Z"}),
            ),
            removal("goes"),
            row("new", json!({"name": "\u{e9}\"\n", "tags": []})),
        ],
    )
    .await
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn states_differ_by_cell_in_both_directions(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    let third = three_promotions(&mut tx).await;
    let forth = all(&mut tx, 1, 3).await;
    let back = all(&mut tx, 3, 1).await;
    insta::assert_snapshot!(format!(
        "1 -> 3\n{}\n3 -> 1\n{}",
        lines(&forth),
        lines(&back)
    ));
    assert_eq!(third.number, 3);
    assert!(all(&mut tx, 2, 2).await.is_empty());
    let tally: Vec<(String, i64)> = diff_tally(&mut tx, 1, 3)
        .await
        .unwrap()
        .into_iter()
        .map(|t| (t.operation, t.rows))
        .collect();
    assert_eq!(
        tally,
        [
            ("delete".into(), 1),
            ("insert".into(), 1),
            ("tombstone".into(), 1),
            ("update".into(), 3)
        ]
    );
    let page: Vec<RowDiff> = diff(&mut tx, 1, 3, Some(2), Some(("clients", "empty")))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(page, forth[2..4]);
    assert_eq!(
        state_at(&mut tx, 2, "clients", "goes")
            .await
            .unwrap()
            .unwrap()["name"],
        "G"
    );
    assert_eq!(state_at(&mut tx, 3, "clients", "goes").await.unwrap(), None);
    rollback(&mut tx, 1, "tester", "why", false).await.unwrap();
    assert!(
        all(&mut tx, 1, 4).await.is_empty(),
        "changed and changed back"
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn every_value_has_its_author(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    for (page, name, email) in [(1, "A", "a"), (2, "A", "hand"), (3, "B", "hand")] {
        let mut row = write(
            Operation::Update,
            &client("c", json!({"name": name, "email": email, "version": page})),
        );
        row.evidence = Some(Evidence {
            module: "clients".into(),
            source_id: "s".into(),
            record_hash: vec![page as u8; 32],
            pass_id: 9,
            page,
        });
        promote(&mut tx, &[row]).await;
        run(&mut tx, "update prod.clients set email = 'hand'").await;
    }
    run(&mut tx, "update prod.clients set balance = 1; set constraints all immediate; alter table prod.clients add phone text").await;
    let mut table = String::new();
    for b in blame(&mut tx, "clients", "c").await.unwrap() {
        table += &format!(
            "{}: {} {:?} {} {:?} {:?} {:?}\n",
            b.column, b.value, b.promotion, b.by_hand, b.source_id, b.pass_id, b.page
        );
    }
    insta::assert_snapshot!("blame", table);
    let mut table = String::new();
    for change in entity_history(&mut tx, "clients", "c").await.unwrap() {
        table += &format!(
            "{} {} {:?} {:?}",
            change.number, change.operation, change.source_id, change.page
        );
        for cell in change.cells {
            table += &format!(", {}: {} -> {}", cell.column, cell.before, cell.after);
        }
        table += "\n";
    }
    insta::assert_snapshot!("entity_history", table);
    assert!(
        blame(&mut tx, "clients", "nobody")
            .await
            .unwrap()
            .is_empty()
    );
}
