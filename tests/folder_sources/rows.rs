//! What stands in a database, as text.

use sqlx::{AssertSqlSafe, query_as};

use crate::world::TestDatabase;

/// The one text that a query answers with.
pub async fn text(database: &TestDatabase, sql: &str) -> String {
    let (text,): (String,) = query_as(AssertSqlSafe(sql.to_owned()))
        .fetch_one(&database.pool)
        .await
        .unwrap();
    text
}

/// The two columns of every row, joined by a bar.
pub async fn lines(database: &TestDatabase, sql: &str) -> Vec<String> {
    let rows: Vec<(String, String)> = query_as(AssertSqlSafe(sql.to_owned()))
        .fetch_all(&database.pool)
        .await
        .unwrap();
    rows.into_iter()
        .map(|(first, second)| format!("{first}|{second}"))
        .collect()
}
