//! Why the database refused a row, in words that say where to look.

use sqlx::PgConnection;
use sqlx::postgres::PgDatabaseError;
use staging::database::query_scalar;

/// What a person reads about a refused row.
pub(super) struct Refusal {
    pub(super) why: String,
    /// The column where the database names it, else the constraint.
    pub(super) place: Option<String>,
}

/// The column or constraint at fault, what it demands, and what to do.
pub(super) async fn told(
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
