//! A table's columns and named constraints, read from the database's catalogue.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};

/// A production table in the database.
pub(super) struct Table {
    pub(super) columns: Vec<TableColumn>,
    pub(super) comment: Option<String>,
    constraints: Vec<String>,
    indexes: Vec<String>,
}

/// A column in the database.
#[derive(sqlx::FromRow)]
pub(super) struct TableColumn {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) comment: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Relation {
    oid: sqlx::postgres::types::Oid,
    comment: Option<String>,
}

impl Table {
    /// The table, or `None` if it does not exist.
    pub(super) async fn read(
        db: &mut PgConnection,
        schema: &str,
        table: &str,
    ) -> sqlx::Result<Option<Self>> {
        let relation: Option<Relation> = query_as(
            "select c.oid, obj_description(c.oid, 'pg_class') as comment from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')",
        )
        .bind(schema)
        .bind(table)
        .fetch_optional(&mut *db)
        .await?;
        let Some(relation) = relation else {
            return Ok(None);
        };
        let columns = query_as(
            "select attname::text as name, format_type(atttypid, atttypmod) as kind, col_description(attrelid, attnum) as comment \
             from pg_attribute where attrelid = $1 and attnum > 0 and not attisdropped order by attnum",
        )
        .bind(relation.oid)
        .fetch_all(&mut *db)
        .await?;
        let constraints = query_scalar(
            "select conname::text from pg_constraint where conrelid = $1 and contype = 'c'",
        )
        .bind(relation.oid)
        .fetch_all(&mut *db)
        .await?;
        let indexes = query_scalar("select c.relname::text from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = $1")
            .bind(relation.oid)
            .fetch_all(db)
            .await?;
        Ok(Some(Self {
            columns,
            comment: relation.comment,
            constraints,
            indexes,
        }))
    }

    pub(super) fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn is_required(&self, table: &str, column: &str) -> bool {
        self.constraints.contains(&required_name(table, column))
    }

    pub(super) fn is_unique(&self, table: &str, column: &str) -> bool {
        self.indexes.contains(&unique_name(table, column))
    }
}

/// The name of the constraint on a required column.
pub(super) fn required_name(table: &str, column: &str) -> String {
    bounded(format!("{table}_{column}_required"))
}

/// The name of the index on a unique column.
pub(super) fn unique_name(table: &str, column: &str) -> String {
    bounded(format!("{table}_{column}_unique"))
}

/// PostgreSQL cuts names at 63 bytes; a hash keeps long names distinct.
fn bounded(name: String) -> String {
    if name.len() <= 63 {
        return name;
    }
    let hash = hex::encode(Sha256::digest(name.as_bytes()));
    format!("{}_{}", &name[..54], &hash[..8])
}

/// The name of the primary key.
pub(super) fn key_name(table: &str) -> String {
    bounded(format!("{table}_pkey"))
}
