//! Rows that are in memory already, copied into a plain logged table.

use std::time::Instant;

use anyhow::Context;
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::{Connection, PgConnection};

use crate::fetch::{Pages, next_cursor};

struct Row {
    id: String,
    json: Box<RawValue>,
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "allClients")]
    all_clients: Connected,
}

#[derive(Deserialize)]
struct Connected {
    nodes: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// Copies every record of the pages in batches and says how long that took, the fetching not counted.
pub async fn copy(pages: &Pages, database: &str, batch: usize) -> anyhow::Result<(usize, f64)> {
    let rows = rows(pages).await?;
    let mut conn = PgConnection::connect(database)
        .await
        .context("connecting to the database")?;
    sqlx::raw_sql(
        "drop table if exists floor; create table floor (source_id text not null, payload jsonb not null); checkpoint",
    )
    .execute(&mut conn)
    .await?;
    let start = Instant::now();
    for rows in rows.chunks(batch) {
        let mut into = conn
            .copy_in_raw("copy floor (source_id, payload) from stdin with (format binary)")
            .await?;
        into.send(binary(rows)).await?;
        into.finish().await?;
    }
    Ok((rows.len(), start.elapsed().as_secs_f64()))
}

async fn rows(pages: &Pages) -> anyhow::Result<Vec<Row>> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let body = pages.page(cursor.as_deref()).await?;
        let answer: Answer = serde_json::from_slice(&body).context("reading a page as JSON")?;
        for json in answer.data.all_clients.nodes {
            let Id { id } = serde_json::from_str(json.get()).context("reading a record's id")?;
            rows.push(Row { id, json });
        }
        cursor = next_cursor(std::str::from_utf8(&body)?)?;
        if cursor.is_none() {
            return Ok(rows);
        }
    }
}

/// Rows in COPY's binary format.
fn binary(rows: &[Row]) -> Vec<u8> {
    let size: usize = rows
        .iter()
        .map(|row| row.json.get().len() + row.id.len() + 11)
        .sum();
    let mut out = Vec::with_capacity(size + 21);
    out.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for Row { id, json } in rows {
        out.extend_from_slice(&2i16.to_be_bytes());
        out.extend_from_slice(&(id.len() as i32).to_be_bytes());
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(&(json.get().len() as i32 + 1).to_be_bytes());
        out.push(1); // The version of jsonb's binary format.
        out.extend_from_slice(json.get().as_bytes());
    }
    out.extend_from_slice(&(-1i16).to_be_bytes());
    out
}
