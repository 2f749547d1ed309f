//! Watching a production table: its object and column numbers, and the triggers that keep what others
//! replace.

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_scalar;

/// Remembers the numbers of a table and its columns, and makes its triggers where they are missing or
/// switched off. Says whether the table is new to the engine although it stood before.
pub(crate) async fn watch(conn: &mut PgConnection, entity: &str) -> sqlx::Result<bool> {
    let name = format!("prod.\"{entity}\"");
    let switched_on: i64 = query_scalar(
        "select count(*) from pg_trigger where tgrelid = to_regclass($1) and tgenabled in ('O', 'A')
           and tgname in ('concord_edits', 'concord_truncated')",
    )
    .bind(&name)
    .fetch_one(&mut *conn)
    .await?;
    if switched_on < 2 {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "drop trigger if exists concord_edits on {name}; drop trigger if exists concord_truncated on {name};
             create trigger concord_edits after insert or update or delete on {name} for each row
                 when (current_setting('concord.writer', true) is distinct from 'engine')
                 execute function history.keep_edit();
             create trigger concord_truncated before truncate on {name} for each statement
                 when (current_setting('concord.writer', true) is distinct from 'engine')
                 execute function history.keep_truncated()"
        )))
        .execute(&mut *conn)
        .await?;
    }
    let is_new: Option<bool> = query_scalar(
        "with now as (
             select $1::text as entity, c.oid,
                    (select jsonb_object_agg(a.attname, a.attnum) from pg_attribute a
                     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
             from pg_class c where c.oid = to_regclass($2))
         insert into ops.tables as t (entity, oid, columns) select entity, oid, columns from now
         on conflict (entity) do update set oid = excluded.oid, columns = excluded.columns, seen_at = clock_timestamp()
             where (t.oid, t.columns) is distinct from (excluded.oid, excluded.columns)
         returning xmax = 0",
    )
    .bind(entity)
    .bind(&name)
    .fetch_optional(&mut *conn)
    .await?;
    if is_new != Some(true) {
        return Ok(false);
    }
    query_scalar("select exists (select from prod.identities where entity = $1)")
        .bind(entity)
        .fetch_one(conn)
        .await
}
