//! Which records wait for the reconciler.

use sqlx::PgConnection;

use crate::copy::CopyRows;
use crate::database::statement::query;

/// Another module's records that a module derives rows from: those of `from` whose top-level `field`
/// is one of `values`.
#[derive(Debug, Clone)]
pub struct Derivation {
    /// The module that derives.
    pub module: String,
    /// The module whose staged records it reads.
    pub from: String,
    /// A top-level field of the payload.
    pub field: String,
    /// The values of the field that matter.
    pub values: Vec<String>,
}

/// Marks new records as pending; their ids are new, so none is pending already.
pub(crate) async fn enqueue_new(
    conn: &mut PgConnection,
    module: &str,
    ids: &[&str],
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut rows = CopyRows::with_capacity(ids.iter().map(|id| id.len() + 48).sum());
    for id in ids {
        rows.row(3);
        rows.field(&[module.as_bytes()]);
        rows.field(&[id.as_bytes()]);
        rows.field(&[module.as_bytes()]);
    }
    rows.send(conn, "staging.pending (module, source_id, origin)")
        .await
}

/// Marks staged records of `module` as pending, in their own module and in every module that derives from
/// them.
pub async fn enqueue(
    conn: &mut PgConnection,
    module: &str,
    ids: &[&str],
    derivations: &[Derivation],
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    query(
        "insert into staging.pending (module, source_id, origin)
         select $1, i, $1 from unnest($2::text[]) i on conflict do nothing",
    )
    .bind(module)
    .bind(ids)
    .execute(&mut *conn)
    .await?;
    derive(conn, module, ids, derivations).await
}

/// Marks records as pending in every module that derives from theirs.
pub(crate) async fn derive(
    conn: &mut PgConnection,
    module: &str,
    ids: &[&str],
    derivations: &[Derivation],
) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    for derivation in derivations.iter().filter(|d| d.from == module) {
        query(
            "insert into staging.pending (module, source_id, origin)
             select $1, r.source_id, $2 from staging.records r
             where r.module = $2 and r.source_id = any($3)
               -- A record that no longer holds a row takes the row it gave with it.
               and (r.payload ->> $4 = any($5) or exists (
                   select from prod.identities i where i.source_id = r.source_id and i.module = $1 and i.origin = $2
                     and i.valid_to is null and not i.gone))
             on conflict do nothing",
        )
        .bind(&derivation.module)
        .bind(module)
        .bind(ids)
        .bind(&derivation.field)
        .bind(&derivation.values)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
