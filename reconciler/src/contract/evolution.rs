//! Changes a production table to match its contract: only additions, in one transaction.

use super::agreement::{EXEMPT, Place, data_differences, type_differences};
use super::audit_columns::{AUDIT, is_audit};
use super::catalogue::{Table, required_name, unique_name};
use super::column::{Column, PhysicalType};
use super::difference::{Change, EvolveError};
use super::document::{Contract, is_identifier};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_scalar};

/// The prefix of a retired column's comment.
const RETIRED: &str = "No longer in the contract; kept with its values. ";

/// Changes the table `schema.entity` to match the contract and returns the changes; none if they match.
///
/// Call it in a transaction, with the `Contract::union` of all modules that fill the table. A change that
/// could lose data or reject existing rows is breaking: then nothing is changed. Names come only from the
/// contract, whose parser accepts only valid identifiers, and they are quoted all the same.
pub async fn evolve(
    tx: &mut PgConnection,
    schema: &str,
    contract: &Contract,
) -> Result<Vec<Change>, EvolveError> {
    if !is_identifier(schema) {
        return Err(EvolveError::SchemaName(schema.to_owned()));
    }
    // Two runs may see the same new contract; the second waits and then has nothing to do.
    query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(format!("concord:evolve:{schema}.{}", contract.entity))
        .execute(&mut *tx)
        .await?;
    let found = Table::read(tx, schema, &contract.entity).await?;
    let created = found.is_none();
    let table = match found {
        Some(table) => table,
        None => create(tx, schema, contract).await?,
    };
    let place = Place {
        schema,
        table: &contract.entity,
    };
    let mut breaking = type_differences(&place, contract, &table);
    if breaking.is_empty() {
        breaking = data_differences(tx, &place, contract, &table).await?;
    }
    if !breaking.is_empty() {
        return Err(EvolveError::Breaking(breaking));
    }
    let changes = apply(tx, &place, contract, &table).await?;
    Ok(if created {
        vec![Change::TableCreated]
    } else {
        changes
    })
}

async fn run(tx: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    query(AssertSqlSafe(sql)).execute(tx).await.map(drop)
}

/// Creates the table with only its key and the audit columns; other columns are added as to any table.
async fn create(tx: &mut PgConnection, schema: &str, contract: &Contract) -> sqlx::Result<Table> {
    let known: bool = query_scalar("select exists (select from pg_namespace where nspname = $1)")
        .bind(schema)
        .fetch_one(&mut *tx)
        .await?;
    if !known {
        run(tx, format!("create schema \"{schema}\"")).await?;
    }
    let table = &contract.entity;
    let audit: Vec<String> = AUDIT
        .iter()
        .map(|(name, kind, rest)| format!(", \"{name}\" {kind} {rest}"))
        .collect();
    let key = super::catalogue::key_name(table);
    run(tx, format!("create table \"{schema}\".\"{table}\" (\"id\" text constraint \"{key}\" primary key{})", audit.concat())).await?;
    Table::read(tx, schema, table)
        .await?
        .ok_or(sqlx::Error::RowNotFound)
}

async fn apply(
    tx: &mut PgConnection,
    place: &Place<'_>,
    contract: &Contract,
    table: &Table,
) -> sqlx::Result<Vec<Change>> {
    let mut changes = Vec::new();
    for (name, kind, rest) in AUDIT {
        if table.column(name).is_none() {
            run(
                tx,
                format!(
                    "alter table {} add column \"{name}\" {kind} {rest}",
                    place.sql()
                ),
            )
            .await?;
            changes.push(Change::ColumnAdded(name.to_owned()));
        }
    }
    for column in &contract.columns {
        shape(tx, place, column, table, &mut changes).await?;
        bind_duties(tx, place, column, table, &mut changes).await?;
        let comment = table
            .column(&column.name)
            .and_then(|found| found.comment.as_deref());
        if comment != column.description.as_deref() {
            describe(tx, place, Some(&column.name), column.description.as_deref()).await?;
            // The description of a new column is not reported as a change of its own.
            if table.column(&column.name).is_some() {
                changes.push(Change::Described(Some(column.name.clone())));
            }
        }
    }
    for found in &table.columns {
        let known = contract.column(&found.name).is_some() || is_audit(&found.name);
        if !known {
            retire(tx, place, found, table, &mut changes).await?;
        }
    }
    if contract.description != table.comment {
        describe(tx, place, None, contract.description.as_deref()).await?;
        changes.push(Change::Described(None));
    }
    Ok(changes)
}

/// The column and its type.
async fn shape(
    tx: &mut PgConnection,
    place: &Place<'_>,
    column: &Column,
    table: &Table,
    changes: &mut Vec<Change>,
) -> sqlx::Result<()> {
    let (name, kind) = (&column.name, column.physical);
    let Some(found) = table.column(name) else {
        run(
            tx,
            format!("alter table {} add column \"{name}\" {kind}", place.sql()),
        )
        .await?;
        changes.push(Change::ColumnAdded(name.clone()));
        return Ok(());
    };
    if PhysicalType::parse(&found.kind) != Some(kind) {
        run(
            tx,
            format!(
                "alter table {} alter column \"{name}\" type {kind}",
                place.sql()
            ),
        )
        .await?;
        changes.push(Change::ColumnWidened {
            column: name.clone(),
            from: found.kind.clone(),
            to: kind.to_string(),
        });
    }
    Ok(())
}

/// Adds required and unique as named constraints that exempt placeholders and tombstones.
async fn bind_duties(
    tx: &mut PgConnection,
    place: &Place<'_>,
    column: &Column,
    table: &Table,
    changes: &mut Vec<Change>,
) -> sqlx::Result<()> {
    let name = &column.name;
    if name == "id" {
        return Ok(());
    }
    match (table.is_required(place.table, name), column.required) {
        (false, true) => {
            let constraint = required_name(place.table, name);
            run(tx, format!("alter table {} add constraint \"{constraint}\" check ({EXEMPT} or \"{name}\" is not null)", place.sql())).await?;
            changes.push(Change::RequiredAdded(name.clone()));
        }
        (true, false) => {
            drop_required(tx, place, name).await?;
            changes.push(Change::RequiredDropped(name.clone()));
        }
        _ => {}
    }
    match (table.is_unique(place.table, name), column.unique) {
        (false, true) => {
            let index = unique_name(place.table, name);
            run(
                tx,
                format!(
                    "create unique index \"{index}\" on {} (\"{name}\") where not ({EXEMPT})",
                    place.sql()
                ),
            )
            .await?;
            changes.push(Change::UniqueAdded(name.clone()));
        }
        (true, false) => {
            drop_unique(tx, place, name).await?;
            changes.push(Change::UniqueDropped(name.clone()));
        }
        _ => {}
    }
    Ok(())
}

/// A column that the contract no longer names keeps its values and loses its constraints; its comment says
/// so.
async fn retire(
    tx: &mut PgConnection,
    place: &Place<'_>,
    found: &super::catalogue::TableColumn,
    table: &Table,
    changes: &mut Vec<Change>,
) -> sqlx::Result<()> {
    if table.is_required(place.table, &found.name) {
        drop_required(tx, place, &found.name).await?;
        changes.push(Change::RequiredDropped(found.name.clone()));
    }
    if table.is_unique(place.table, &found.name) {
        drop_unique(tx, place, &found.name).await?;
        changes.push(Change::UniqueDropped(found.name.clone()));
    }
    let comment = found.comment.as_deref().unwrap_or_default();
    // People may have added a column under any name; only names that the engine could have chosen are
    // touched.
    if !comment.starts_with(RETIRED) && is_identifier(&found.name) {
        describe(
            tx,
            place,
            Some(&found.name),
            Some(&format!("{RETIRED}{comment}")),
        )
        .await?;
        changes.push(Change::ColumnRetired(found.name.clone()));
    }
    Ok(())
}

async fn drop_required(tx: &mut PgConnection, place: &Place<'_>, column: &str) -> sqlx::Result<()> {
    run(
        tx,
        format!(
            "alter table {} drop constraint \"{}\"",
            place.sql(),
            required_name(place.table, column)
        ),
    )
    .await
}

async fn drop_unique(tx: &mut PgConnection, place: &Place<'_>, column: &str) -> sqlx::Result<()> {
    run(
        tx,
        format!(
            "drop index \"{}\".\"{}\"",
            place.schema,
            unique_name(place.table, column)
        ),
    )
    .await
}

/// `comment on` takes no parameters, so PostgreSQL's own quoting is used.
async fn describe(
    tx: &mut PgConnection,
    place: &Place<'_>,
    column: Option<&str>,
    text: Option<&str>,
) -> sqlx::Result<()> {
    let literal: String = query_scalar("select quote_nullable($1::text)")
        .bind(text)
        .fetch_one(&mut *tx)
        .await?;
    let subject = match column {
        Some(column) => format!("column {}.\"{column}\"", place.sql()),
        None => format!("table {}", place.sql()),
    };
    run(tx, format!("comment on {subject} is {literal}")).await
}

#[cfg(test)]
mod tests {
    use super::super::document::tests::contract;
    use super::*;
    use crate::Row;
    use crate::contract::contract_problems;
    use sqlx::{Connection, PgPool};

    async fn evolved(pool: &PgPool, contract: &Contract) -> Result<Vec<Change>, String> {
        let mut tx = pool.begin().await.expect("a transaction");
        let outcome = evolve(&mut tx, "prod", contract)
            .await
            .map_err(|error| error.to_string());
        if outcome.is_ok() {
            tx.commit().await.expect("a commit");
        }
        outcome
    }

    async fn sql(pool: &PgPool, text: &'static str) -> Result<(), String> {
        sqlx::query(text)
            .execute(pool)
            .await
            .map(drop)
            .map_err(|error| {
                let named = error
                    .as_database_error()
                    .and_then(|error| error.constraint());
                named.map_or_else(|| error.to_string(), str::to_owned)
            })
    }

    const EVERY_TYPE: [&str; 13] = [
        "{ name: a_text, physicalType: text, required: true, description: \"It's a 'text'\" }",
        "{ name: a_varchar, physicalType: varchar(9), unique: true }",
        "{ name: a_smallint, physicalType: smallint }",
        "{ name: an_integer, physicalType: integer }",
        "{ name: a_bigint, physicalType: bigint }",
        "{ name: a_numeric, physicalType: numeric }",
        "{ name: a_price, physicalType: 'numeric(9,2)' }",
        "{ name: a_double, physicalType: double precision }",
        "{ name: a_boolean, physicalType: boolean }",
        "{ name: a_date, physicalType: date }",
        "{ name: an_instant, physicalType: timestamptz }",
        "{ name: a_json, physicalType: jsonb }",
        "{ name: texts, physicalType: 'text[]' }",
    ];

    #[sqlx::test(migrations = false)]
    async fn a_row_reads_back_as_it_was_checked(pool: PgPool) {
        let contract = contract(&EVERY_TYPE);
        assert_eq!(
            evolved(&pool, &contract).await,
            Ok(vec![Change::TableCreated])
        );
        assert_eq!(evolved(&pool, &contract).await, Ok(vec![]));
        let mut db = pool.acquire().await.expect("a connection");
        assert_eq!(
            contract_problems(&mut db, "prod", &contract)
                .await
                .expect("problems"),
            []
        );
        let row: Row = serde_json::from_str(
            r#"{"id":"c1","a_text":"É","a_varchar":"v","a_smallint":1,"an_integer":2.0,"a_bigint":9223372036854775807,"a_numeric":1.50e1,
                "a_price":3.1,"a_double":1e20,"a_boolean":true,"a_date":"20260131","an_instant":"2026-01-31 07:00:00.12345-05",
                "a_json":{"z":1e2,"a":[1.50]},"texts":["x",""]}"#,
        )
        .expect("a row");
        let row = contract.check(&row).expect("a good row");
        sqlx::query("set timezone to 'UTC'")
            .execute(&mut *db)
            .await
            .expect("a zone");
        let back: sqlx::types::Json<Row> = sqlx::query_scalar(
            "insert into prod.clients select * from jsonb_populate_record(null::prod.clients, $1 || '{\"created_at\":\"now\",\"updated_at\":\"now\",\"version\":1,\"is_placeholder\":false}') \
             returning to_jsonb(clients) - '{created_at,updated_at,synced_at,deleted_at,version,is_placeholder}'::text[]",
        )
        .bind(sqlx::types::Json(&row))
        .fetch_one(&mut *db)
        .await
        .expect("an insert");
        assert_eq!(back.0, row);
        let comment: String = sqlx::query_scalar("select col_description('prod.clients'::regclass, attnum) from pg_attribute where attrelid = 'prod.clients'::regclass and attname = 'a_text'")
            .fetch_one(&mut *db)
            .await
            .expect("a comment");
        assert_eq!(comment, "It's a 'text'");
    }

    #[sqlx::test(migrations = false)]
    async fn duties_spare_placeholders_and_tombstones(pool: PgPool) {
        let contract =
            contract(&["{ name: email, logicalType: string, required: true, unique: true }"]);
        evolved(&pool, &contract).await.expect("a table");
        let cases = [
            (
                "insert into prod.clients (id) values ('a')",
                Err("clients_email_required"),
            ),
            (
                "insert into prod.clients (id, is_placeholder) values ('b', true)",
                Ok(()),
            ),
            (
                "insert into prod.clients (id, deleted_at) values ('c', now())",
                Ok(()),
            ),
            (
                "insert into prod.clients (id, email) values ('d', 'x')",
                Ok(()),
            ),
            (
                "insert into prod.clients (id, email) values ('e', 'x')",
                Err("clients_email_unique"),
            ),
            (
                "insert into prod.clients (id, email, deleted_at) values ('f', 'x', now())",
                Ok(()),
            ),
            (
                "insert into prod.clients (id, email) values ('d', 'y')",
                Err("clients_pkey"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                sql(&pool, text).await,
                expected.map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[sqlx::test(migrations = false)]
    async fn tables_grow_and_loosen_and_never_lose(pool: PgPool) {
        let before = contract(&[
            "{ name: note, physicalType: varchar(5), required: true }",
            "{ name: rank, physicalType: integer, unique: true }",
            "{ name: gone, logicalType: string, required: true, description: Was here. }",
        ]);
        evolved(&pool, &before).await.expect("a table");
        sql(
            &pool,
            "insert into prod.clients (id, note, rank, gone) values ('a', 'n', 1, 'kept')",
        )
        .await
        .expect("a row");
        let after = contract(&[
            "{ name: note, physicalType: text }",
            "{ name: rank, physicalType: bigint }",
            "{ name: added, physicalType: date, description: New. }",
        ]);
        insta::assert_debug_snapshot!(evolved(&pool, &after).await.expect("changes"));
        assert_eq!(evolved(&pool, &after).await, Ok(vec![]));
        let kept: String = sqlx::query_scalar("select gone from prod.clients")
            .fetch_one(&pool)
            .await
            .expect("the value");
        assert_eq!(kept, "kept");
        sql(&pool, "insert into prod.clients (id) values ('b')")
            .await
            .expect("no duty is left");
    }

    #[sqlx::test(migrations = false)]
    async fn breaking_changes_are_refused_with_the_difference(pool: PgPool) {
        let before = contract(&[
            "{ name: note, physicalType: text }",
            "{ name: rank, physicalType: bigint }",
        ]);
        evolved(&pool, &before).await.expect("a table");
        sql(
            &pool,
            "insert into prod.clients (id, note, rank) values ('a', 'x', 1), ('b', 'x', null)",
        )
        .await
        .expect("rows");
        let types = contract(&[
            "{ name: note, physicalType: varchar(5) }",
            "{ name: rank, physicalType: date }",
            "{ name: extra, logicalType: string }",
        ]);
        let duties = contract(&[
            "{ name: note, physicalType: text, unique: true }",
            "{ name: rank, physicalType: bigint, required: true }",
            "{ name: extra, logicalType: string, required: true }",
        ]);
        let messages = [
            evolved(&pool, &types).await.unwrap_err(),
            evolved(&pool, &duties).await.unwrap_err(),
        ];
        insta::assert_snapshot!(messages.join("\n"));
        assert_eq!(evolved(&pool, &before).await, Ok(vec![]));
        let name = evolve(
            &mut pool.acquire().await.expect("a connection"),
            "Prod; drop",
            &before,
        )
        .await;
        assert!(matches!(name, Err(EvolveError::SchemaName(_))));
    }

    #[sqlx::test(migrations = false)]
    async fn a_table_changed_under_a_running_service_is_named(pool: PgPool) {
        let contract = contract(&[
            "{ name: note, physicalType: text }",
            "{ name: rank, physicalType: integer }",
        ]);
        let mut db = pool.acquire().await.expect("a connection");
        let mut problems = contract_problems(&mut db, "prod", &contract)
            .await
            .expect("problems");
        evolved(&pool, &contract).await.expect("a table");
        sql(&pool, "alter table prod.clients drop column note, alter column rank type text, drop column synced_at").await.expect("sabotage");
        problems.extend(
            contract_problems(&mut db, "prod", &contract)
                .await
                .expect("problems"),
        );
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[sqlx::test(migrations = false)]
    async fn two_runs_may_meet_a_new_contract_at_once(pool: PgPool) {
        let contract = contract(&["{ name: note, physicalType: text }"]);
        let (first, second) = tokio::join!(evolved(&pool, &contract), evolved(&pool, &contract));
        let mut outcomes = [first.expect("a table"), second.expect("a table")];
        outcomes.sort_by_key(Vec::len);
        assert_eq!(outcomes, [vec![], vec![Change::TableCreated]]);
        pool.acquire()
            .await
            .expect("a connection")
            .ping()
            .await
            .expect("an answer");
    }

    #[sqlx::test(migrations = false)]
    async fn long_names_keep_their_constraints_apart(pool: PgPool) {
        let long = "a".repeat(62);
        let contract = contract(&[
            &format!("{{ name: {long}b, logicalType: string, required: true }}"),
            &format!("{{ name: {long}c, logicalType: string, required: true, unique: true }}"),
        ]);
        assert_eq!(
            evolved(&pool, &contract).await,
            Ok(vec![Change::TableCreated])
        );
        assert_eq!(evolved(&pool, &contract).await, Ok(vec![]));
    }
}
