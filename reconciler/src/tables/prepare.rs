//! The production tables of all modules, brought to their contracts before anything is reconciled.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_scalar;

use super::lost::keeps_table;
use super::watch::watch;
use crate::Definitions;
use crate::contract::{Contract, ContractError, EvolveError, evolve};
use crate::restore::find_overrides;

/// Why the tables cannot be brought to the contracts.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Two contracts of one table contradict each other.
    #[error("two contracts describe one table differently: {0}")]
    Union(#[from] ContractError),
    /// A contract would break what stands.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// The database.
    #[error("the production tables could not be prepared")]
    Sql(#[from] sqlx::Error),
}

/// Creates and additively evolves the tables of all modules, with their foreign keys; returns how many
/// changes were made. A database from before overrides gets those that its rows come to.
pub async fn prepare_tables(
    conn: &mut PgConnection,
    definitions: &Definitions,
) -> Result<usize, TableError> {
    let mut contracts: BTreeMap<&str, Vec<Contract>> = BTreeMap::new();
    for definition in definitions.parents_first() {
        contracts
            .entry(definition.entity())
            .or_default()
            .push(definition.contract.clone());
    }
    let mut changes = Vec::new();
    for (entity, same_table) in &contracts {
        // A table that was dropped or altered by hand stays so until a person decides: its modules are
        // blocked.
        if keeps_table(conn, definitions, entity).await? {
            changes.extend(evolve(conn, "prod", &Contract::union(same_table)?).await?);
            if watch(conn, entity).await? {
                find_overrides(conn, definitions, entity).await?;
            }
        }
    }
    link_all(conn, definitions).await?;
    Ok(changes.len())
}

/// Makes the foreign keys of all references between tables that are there.
pub(crate) async fn link_all(
    conn: &mut PgConnection,
    definitions: &Definitions,
) -> sqlx::Result<()> {
    for definition in definitions.parents_first() {
        for (column, reference) in &definition.spec.references {
            let Some(parent) = definitions.get(&reference.to) else {
                continue;
            };
            if keeps_table(conn, definitions, definition.entity()).await?
                && keeps_table(conn, definitions, parent.entity()).await?
            {
                link(conn, definition.entity(), column, parent.entity()).await?;
            }
        }
    }
    Ok(())
}

/// The name of the foreign key that a declared reference becomes.
pub(crate) fn link_name(entity: &str, column: &str) -> String {
    format!("{entity}_{column}_parent")
        .chars()
        .take(63)
        .collect()
}

/// A foreign key, checked at commit, for rows written from now on.
async fn link(
    conn: &mut PgConnection,
    entity: &str,
    column: &str,
    parent: &str,
) -> sqlx::Result<()> {
    let name = link_name(entity, column);
    let there: bool = query_scalar(
        "select exists (select from pg_constraint where conname = $1 and conrelid = to_regclass($2))",
    )
    .bind(&name)
    .bind(format!("prod.\"{entity}\""))
    .fetch_one(&mut *conn)
    .await?;
    if !there {
        sqlx::raw_sql(AssertSqlSafe(format!(
            "alter table prod.\"{entity}\" add constraint \"{name}\" foreign key (\"{column}\")
             references prod.\"{parent}\" (id) deferrable initially deferred not valid"
        )))
        .execute(conn)
        .await?;
    }
    Ok(())
}
