//! Why the database refused a row, in words that say where to look.

use sqlx::PgConnection;
use sqlx::postgres::PgDatabaseError;
use staging::database::query_scalar;

/// What a person reads about a refused row.
pub(crate) struct Refusal {
    pub(crate) why: String,
    /// The column where the database names it, else the constraint.
    pub(crate) place: Option<String>,
}

/// The column or constraint at fault, what it demands, and what to do.
pub(crate) async fn told(
    conn: &mut PgConnection,
    entity: &str,
    failure: &sqlx::Error,
) -> sqlx::Result<Refusal> {
    let error = failure
        .as_database_error()
        .and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let said = error.map_or_else(|| failure.to_string(), |error| error.message().to_owned());
    let column = error.and_then(PgDatabaseError::column);
    let constraint = error.and_then(PgDatabaseError::constraint);
    let demands = match constraint {
        Some(constraint) => definition_of(conn, entity, constraint).await?,
        None => None,
    };
    let demands = demands.map_or(String::new(), |demands| format!(" It demands: {demands}."));
    Ok(Refusal {
        why: format!(
            "The database refuses the row: {said}.{demands} Correct the record in the source, or change the table; it is tried again by the next runs."
        ),
        place: column.or(constraint).map(str::to_owned),
    })
}

/// A constraint, or a unique index, as it was declared.
async fn definition_of(
    conn: &mut PgConnection,
    entity: &str,
    constraint: &str,
) -> sqlx::Result<Option<String>> {
    query_scalar(
        "select pg_get_constraintdef(oid) from pg_constraint
         where conname = $1 and conrelid = to_regclass(format('prod.%I', $2::text))
         union all
         select pg_get_indexdef(to_regclass(format('prod.%I', $1::text)))
         limit 1",
    )
    .bind(constraint)
    .bind(entity)
    .fetch_optional(conn)
    .await
    .map(Option::flatten)
}

/// A write that a trigger of the table left out, as an error about data.
#[derive(Debug, thiserror::Error)]
#[error("a trigger of `{table}` left the write of `{id}` out, or wrote something else")]
struct Swallowed {
    table: String,
    id: String,
}

/// Whether a write was left out by a trigger.
pub(crate) fn is_swallowed(failure: &sqlx::Error) -> bool {
    matches!(failure, sqlx::Error::Decode(cause) if cause.is::<Swallowed>())
}

/// Fails where a row that was written does not stand so: a trigger of the table left the write out. Only
/// tables with triggers of other people's making are looked at.
pub(crate) async fn check_written(
    conn: &mut PgConnection,
    entity: &str,
    rows: &[crate::history::RowWrite],
) -> sqlx::Result<()> {
    let has_triggers: bool = query_scalar(
        "select exists (select from pg_trigger where tgrelid = to_regclass(format('prod.%I', $1::text))
                        and not tgisinternal and tgname not like 'concord\\_%')",
    )
    .bind(entity)
    .fetch_one(&mut *conn)
    .await?;
    if !has_triggers {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.entity_id.as_str()).collect();
    let images: Vec<Option<&str>> = rows
        .iter()
        .map(|row| row.image.as_deref().map(|i| i.get()))
        .collect();
    let other: Option<String> = query_scalar(sqlx::AssertSqlSafe(format!(
        "select g.id from unnest($1::text[], $2::text[]) g (id, image)
         left join lateral (select t.version from prod.\"{entity}\" t where t.id = g.id offset 0) t on true
         where (g.image::jsonb ->> 'version')::bigint is distinct from t.version order by 1 limit 1"
    )))
    .bind(ids)
    .bind(images)
    .fetch_optional(conn)
    .await?;
    match other {
        None => Ok(()),
        Some(id) => Err(sqlx::Error::Decode(Box::new(Swallowed {
            table: format!("prod.{entity}"),
            id,
        }))),
    }
}
