//! Rows for `copy`, the fastest way into a table.

use sqlx::PgConnection;

use crate::page_tally::PagePlace;
use crate::versions::Version;

/// Bytes sent at once, so that the server processes the first rows while the others are sent.
const PART: usize = 64 * 1024;

/// Rows in PostgreSQL's binary format for `copy`.
pub struct CopyRows(Vec<u8>);

impl CopyRows {
    /// No rows yet, with capacity for this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut rows = Vec::with_capacity(bytes + 32);
        rows.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
        Self(rows)
    }

    /// Begins a row with this many fields, which are added one by one.
    pub fn row(&mut self, fields: i16) {
        self.0.extend_from_slice(&fields.to_be_bytes());
    }

    /// A field, in parts, as its type's binary format has it.
    pub fn field(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|p| p.len()).sum();
        self.0.extend_from_slice(&(length as i32).to_be_bytes());
        for part in parts {
            self.0.extend_from_slice(part);
        }
    }

    /// A field that is null.
    pub fn absent(&mut self) {
        self.0.extend_from_slice(&(-1i32).to_be_bytes());
    }

    /// Writes them; `into` names the table and its columns in the order of the fields.
    pub async fn send(mut self, conn: &mut PgConnection, into: &str) -> sqlx::Result<()> {
        self.0.extend_from_slice(&(-1i16).to_be_bytes());
        let mut copy = conn
            .copy_in_raw(&format!("copy {into} from stdin with (format binary)"))
            .await?;
        for part in self.0.chunks(PART) {
            copy.send(part).await?;
        }
        copy.finish().await?;
        Ok(())
    }
}

/// Writes versions of ids never seen before, in one binary `copy`.
pub(crate) async fn copy_new(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    new: &[&Version<'_>],
) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut rows = CopyRows::with_capacity(new.iter().map(|v| v.json.len() + 160).sum());
    for version in new {
        rows.row(8);
        rows.field(&[place.module.as_bytes()]);
        rows.field(&[version.id.as_bytes()]);
        rows.field(&[&version.examined.hash]);
        match version.examined.defect {
            // The leading 1 is the version of jsonb's binary format.
            None => {
                rows.field(&[&[1], version.json]);
                rows.absent();
                rows.absent();
            }
            Some(defect) => {
                rows.absent();
                rows.field(&[version.json]);
                rows.field(&[defect.as_bytes()]);
            }
        }
        rows.field(&[&place.pass_id.to_be_bytes()]);
        rows.field(&[&(version.page.number as i32).to_be_bytes()]);
    }
    let into = format!(
        "staging.stg_{} (module, source_id, hash, payload, raw, defect, pass_id, page)",
        place.module
    );
    rows.send(conn, &into).await
}
