//! The tables of entities, read from the catalogue; no other code puts a table name into a statement.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use staging::database::{query_as, query_scalar};

/// An entity's table in schema `prod`, with quoted names.
#[derive(Debug, Clone)]
pub(super) struct EntityTable {
    /// The entity.
    pub(super) entity: String,
    /// `prod."clients"`
    pub(super) name: String,
    /// Columns, quoted, `id` first.
    pub(super) columns: Vec<String>,
    /// Whether the table has the column that marks a row as deleted.
    pub(super) tombstones: bool,
    /// Columns of unique indexes other than that of `id`, plus the deletion mark, as SQL literals.
    pub(super) unique: Vec<String>,
}

impl EntityTable {
    /// The table of an entity; an error if the catalogue has none with a text `id`.
    pub(super) async fn read(conn: &mut PgConnection, entity: &str) -> sqlx::Result<Self> {
        let columns: Vec<(String, String)> = query_as(
            "select a.attname::text, quote_ident(a.attname)
             from pg_attribute a
             where a.attrelid = (select c.oid from pg_class c
                                 where c.relnamespace = 'prod'::regnamespace and c.relname = $1
                                   and c.relkind in ('r', 'p'))
               and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
             order by a.attname <> 'id', a.attnum",
        )
        .bind(entity)
        .fetch_all(&mut *conn)
        .await?;
        if columns.first().is_none_or(|(name, _)| name != "id") {
            return Err(sqlx::Error::InvalidArgument(format!(
                "production has no entity table `{entity}`; run the module that fills it, or name another entity"
            )));
        }
        let name: String = query_scalar("select format('prod.%I', $1::text)")
            .bind(entity)
            .fetch_one(&mut *conn)
            .await?;
        let unique = query_scalar(
            "with keyed as (
                 select distinct a.attname from pg_index i
                 join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
                 where i.indrelid = $1::regclass and i.indisunique and not i.indisprimary)
             select quote_literal(attname) from keyed
             union select quote_literal('deleted_at') from keyed order by 1",
        )
        .bind(&name)
        .fetch_all(&mut *conn)
        .await?;
        Ok(Self {
            unique,
            entity: entity.to_owned(),
            name,
            tombstones: columns.iter().any(|(column, _)| column == "deleted_at"),
            columns: columns.into_iter().map(|(_, quoted)| quoted).collect(),
        })
    }

    /// The same table with only the columns in `names`.
    pub(super) fn with_only(mut self, names: &BTreeSet<String>) -> Self {
        let quoted: BTreeSet<String> = names
            .iter()
            .flat_map(|name| [name.clone(), format!("\"{name}\"")])
            .collect();
        self.columns.retain(|column| quoted.contains(column));
        self
    }

    /// The columns as a list, each after `prefix`.
    pub(super) fn list(&self, prefix: &str) -> String {
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{prefix}{column}"))
            .collect();
        columns.join(", ")
    }
}
