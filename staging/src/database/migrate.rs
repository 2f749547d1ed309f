//! Bringing the schema up to date.
//!
//! sqlx's own runner holds a session advisory lock and names its statements, and neither passes a
//! pooler in transaction mode. Here everything is one transaction: a transaction-level lock, the
//! checks, all pending migrations and their entries in the ledger.

use std::borrow::Cow;

use sqlx::migrate::{Migration, Migrator};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use super::{OpenError, query, query_as, query_scalar};

const FILES: Migrator = sqlx::migrate!("./migrations");

/// The migrations compiled into this binary, with their ledger in a schema of its own: hosted databases
/// publish `public` through their APIs.
pub static MIGRATOR: Migrator = Migrator {
    table_name: Cow::Borrowed("concord.migrations"),
    create_schemas: Cow::Borrowed(&[Cow::Borrowed("concord")]),
    ..FILES
};

/// Any number will do, as long as every version of Concord takes the same.
const LOCK: i64 = 0x636f_6e63_6f72_6421;

/// Applies the pending migrations of this binary; refuses a newer schema and edited migrations.
pub async fn migrate(pool: &PgPool) -> Result<(), OpenError> {
    migrate_with(&MIGRATOR, pool).await
}

/// Applies the pending migrations of any migrator.
pub async fn migrate_with(migrator: &Migrator, pool: &PgPool) -> Result<(), OpenError> {
    let ledger = |source| OpenError::Ledger {
        table: migrator.table_name.to_string(),
        source,
    };
    let mut tx = pool.begin().await.map_err(ledger)?;
    prepare(migrator, &mut tx).await.map_err(ledger)?;
    let applied = applied(migrator, &mut tx).await.map_err(ledger)?;
    check(migrator, &applied)?;
    for migration in known(migrator) {
        if applied
            .iter()
            .all(|applied| applied.version != migration.version)
        {
            apply(migrator, migration, &mut tx)
                .await
                .map_err(|source| OpenError::Migration {
                    version: migration.version,
                    description: migration.description.to_string(),
                    source,
                })?;
        }
    }
    tx.commit().await.map_err(ledger)
}

#[derive(sqlx::FromRow)]
struct Applied {
    version: i64,
    description: String,
    checksum: Vec<u8>,
}

fn known(migrator: &Migrator) -> impl Iterator<Item = &Migration> {
    migrator
        .iter()
        .filter(|migration| !migration.migration_type.is_down_migration())
}

/// Takes the lock, lifts the time limit that hosted databases put on statements, and makes the ledger if
/// there is none.
async fn prepare(migrator: &Migrator, tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::raw_sql("set local statement_timeout = 0")
        .execute(&mut *tx)
        .await?;
    query("select pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *tx)
        .await?;
    // Asked first, because `if not exists` wants the right to create even where it creates nothing.
    let exists: bool = query_scalar("select to_regclass($1) is not null")
        .bind(&*migrator.table_name)
        .fetch_one(&mut *tx)
        .await?;
    if exists {
        return Ok(());
    }
    for schema in &*migrator.create_schemas {
        let sql = format!("create schema if not exists {schema}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *tx).await?;
    }
    // The columns are sqlx's, so that its test harness and command line can read them.
    let sql = format!(
        "create table {} (
            version bigint primary key,
            description text not null,
            installed_on timestamptz not null default now(),
            success boolean not null,
            checksum bytea not null,
            execution_time bigint not null
        )",
        migrator.table_name
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

async fn applied(migrator: &Migrator, tx: &mut PgConnection) -> sqlx::Result<Vec<Applied>> {
    let sql = format!(
        "select version, description, checksum from {} order by version",
        migrator.table_name
    );
    query_as(AssertSqlSafe(sql)).fetch_all(tx).await
}

fn check(migrator: &Migrator, applied: &[Applied]) -> Result<(), OpenError> {
    let binary = known(migrator)
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0);
    if let Some(newest) = applied.last()
        && newest.version > binary
    {
        return Err(OpenError::NewerSchema {
            database: newest.version,
            binary,
        });
    }
    for Applied {
        version,
        description,
        checksum,
    } in applied
    {
        let (version, description) = (*version, description.clone());
        match known(migrator).find(|migration| migration.version == version) {
            None => {
                return Err(OpenError::UnknownMigration {
                    version,
                    description,
                });
            }
            Some(migration) if *migration.checksum != **checksum => {
                return Err(OpenError::EditedMigration {
                    version,
                    description,
                });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

async fn apply(
    migrator: &Migrator,
    migration: &Migration,
    tx: &mut PgConnection,
) -> sqlx::Result<()> {
    sqlx::raw_sql(migration.sql.clone())
        .execute(&mut *tx)
        .await?;
    let sql = format!(
        "insert into {} (version, description, success, checksum, execution_time) values ($1, $2, true, $3, -1)",
        migrator.table_name
    );
    query(AssertSqlSafe(sql))
        .bind(migration.version)
        .bind(&*migration.description)
        .bind(&*migration.checksum)
        .execute(tx)
        .await?;
    tracing::info!(
        version = migration.version,
        "Applied the migration {}.",
        migration.description
    );
    Ok(())
}

#[cfg(test)]
pub(super) fn empty() -> Migrator {
    Migrator {
        table_name: MIGRATOR.table_name.clone(),
        create_schemas: MIGRATOR.create_schemas.clone(),
        ..Migrator::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_can_share_one_transaction() {
        assert!(MIGRATOR.iter().all(|migration| !migration.no_tx));
    }
}
