//! New records by `copy`, the fastest way into a table.

use sqlx::PgConnection;

use crate::records::{PagePlace, Version};

/// Writes versions of ids never seen before, in one binary `copy`.
pub(crate) async fn copy_new(
    conn: &mut PgConnection,
    place: PagePlace<'_>,
    new: &[&Version<'_>],
) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let mut rows = Vec::with_capacity(new.iter().map(|v| v.json.len() + 160).sum());
    rows.extend_from_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for version in new {
        rows.extend_from_slice(&8i16.to_be_bytes());
        field(&mut rows, &[place.module.as_bytes()]);
        field(&mut rows, &[version.id.as_bytes()]);
        field(&mut rows, &[&version.examined.hash]);
        match version.examined.defect {
            // The leading 1 is the version of jsonb's binary format.
            None => {
                field(&mut rows, &[&[1], version.json]);
                absent(&mut rows);
                absent(&mut rows);
            }
            Some(defect) => {
                absent(&mut rows);
                field(&mut rows, &[version.json]);
                field(&mut rows, &[defect.as_bytes()]);
            }
        }
        field(&mut rows, &[&place.pass_id.to_be_bytes()]);
        field(&mut rows, &[&(version.page.number as i32).to_be_bytes()]);
    }
    rows.extend_from_slice(&(-1i16).to_be_bytes());
    let mut copy = conn
        .copy_in_raw(
            "copy staging.records (module, source_id, hash, payload, raw, defect, pass_id, page)
             from stdin with (format binary)",
        )
        .await?;
    copy.send(rows).await?;
    copy.finish().await?;
    Ok(())
}

fn field(rows: &mut Vec<u8>, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    rows.extend_from_slice(&(length as i32).to_be_bytes());
    for part in parts {
        rows.extend_from_slice(part);
    }
}

fn absent(rows: &mut Vec<u8>) {
    rows.extend_from_slice(&(-1i32).to_be_bytes());
}
