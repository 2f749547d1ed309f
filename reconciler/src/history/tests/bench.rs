use super::*;
use serde_json::json;
use sqlx::PgPool;
use std::time::Instant;

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn bench(pool: PgPool) {
    let mut tx = pool.begin().await.unwrap();
    create_tables(&mut tx).await;
    for round in 0..2 {
        let head = open(&mut tx).await.unwrap();
        let t = Instant::now();
        for batch in 0..60 {
            let rows: Vec<_> = (0..1000).map(|i| write(Operation::Insert, &client(&format!("cli_{:08}", batch * 1000 + i),
                json!({"name": format!("Client number {i} {round}"), "email": format!("client{i}@example.org"), "tags": ["a", "b", "c"], "balance": 12.5, "extra": {"note": "x".repeat(300)}})))).collect();
            let w = apply_images(&mut tx, head.number, "clients", &rows).await.unwrap();
            assert_eq!(w, 1000);
        }
        let a = t.elapsed();
        let t = Instant::now();
        seal(&mut tx, head.number, &sync()).await.unwrap();
        eprintln!("round {round}: 60000 rows in {a:?} = {:.0}/s, seal {:?}", 60000.0 / a.as_secs_f64(), t.elapsed());
    }
    eprintln!("size {}", text(&mut tx, "select avg(length(image::text))::text from history.objects").await);
    tx.commit().await.unwrap();
}
