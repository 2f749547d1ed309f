//! Brings a production table to its contract: additively, in one transaction, or not at all.

use super::catalogue::{Table, required_name, unique_name};
use super::column::{Column, PhysicalType};
use super::difference::{Change, Difference, EvolveError};
use super::document::{Contract, is_identifier};
use sqlx::{AssertSqlSafe, PgConnection};

/// The columns the engine adds, their types and the rest of their definition.
const AUDIT: [(&str, PhysicalType, &str); 6] = [
    (
        "created_at",
        PhysicalType::Timestamptz,
        "not null default now()",
    ),
    (
        "updated_at",
        PhysicalType::Timestamptz,
        "not null default now()",
    ),
    ("synced_at", PhysicalType::Timestamptz, ""),
    ("deleted_at", PhysicalType::Timestamptz, ""),
    ("version", PhysicalType::BigInt, "not null default 1"),
    (
        "is_placeholder",
        PhysicalType::Boolean,
        "not null default false",
    ),
];

/// A row that duties do not bind: a parent made up so that a child can land, or a tombstone.
const EXEMPT: &str = "is_placeholder or deleted_at is not null";

/// What a retired column's comment begins with.
const RETIRED: &str = "No longer in the contract; kept with its values. ";

/// Brings the table `schema.entity` to the contract and says what it did; nothing, when they agree.
///
/// Call it in a transaction, with the `Contract::union` of all modules that fill the table. Whatever could lose or
/// refuse data that is there already is a breaking change, and then nothing is done.
/// Names come only from the contract, whose parser holds them to an allow-list, and are quoted all the same.
pub async fn evolve(
    tx: &mut PgConnection,
    schema: &str,
    contract: &Contract,
) -> Result<Vec<Change>, EvolveError> {
    if !is_identifier(schema) {
        return Err(EvolveError::SchemaName(schema.to_owned()));
    }
    // Two runs may find the same contract new; the second waits and then finds nothing to do.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1, 0))")
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

/// The check before a run: how the table has come to differ from its contract under a running service.
/// What `evolve` would simply do (a missing column that is not required, say) is also named: it has not been done.
pub async fn contract_problems(
    db: &mut PgConnection,
    schema: &str,
    contract: &Contract,
) -> sqlx::Result<Vec<Difference>> {
    let place = Place {
        schema,
        table: &contract.entity,
    };
    let Some(table) = Table::read(db, schema, &contract.entity).await? else {
        let remedy = "Run `concord migrate` to create it.";
        return Ok(vec![place.differs(
            None,
            "no such table",
            &format!("a table of {} columns", contract.columns.len()),
            remedy,
        )]);
    };
    let mut problems = Vec::new();
    let audit = AUDIT.iter().map(|(name, kind, _)| (*name, *kind));
    for (name, kind) in contract
        .columns
        .iter()
        .map(|c| (c.name.as_str(), c.physical))
        .chain(audit)
    {
        match table.column(name) {
            None => problems.push(place.differs(
                Some(name),
                "no such column",
                &format!("`{kind}`"),
                "Run `concord migrate` to add it, and find out who dropped it.",
            )),
            Some(found) if PhysicalType::parse(&found.kind) != Some(kind) => {
                let remedy = "Run `concord migrate` if the contract was widened, else change the column back.";
                problems.push(place.differs(
                    Some(name),
                    &format!("`{}`", found.kind),
                    &format!("`{kind}`"),
                    remedy,
                ));
            }
            Some(_) => {}
        }
    }
    Ok(problems)
}

/// The table being spoken of.
struct Place<'n> {
    schema: &'n str,
    table: &'n str,
}

impl Place<'_> {
    fn sql(&self) -> String {
        format!("\"{}\".\"{}\"", self.schema, self.table)
    }

    fn differs(
        &self,
        column: Option<&str>,
        database: &str,
        contract: &str,
        remedy: &str,
    ) -> Difference {
        Difference {
            table: format!("{}.{}", self.schema, self.table),
            column: column.map(str::to_owned),
            database: database.to_owned(),
            contract: contract.to_owned(),
            remedy: remedy.to_owned(),
        }
    }
}

async fn run(tx: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(sql)).execute(tx).await.map(drop)
}

/// Creates the table with nothing but its key and the audit columns; the rest is added as to any table.
async fn create(tx: &mut PgConnection, schema: &str, contract: &Contract) -> sqlx::Result<Table> {
    let known: bool =
        sqlx::query_scalar("select exists (select from pg_namespace where nspname = $1)")
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

/// Columns whose type is neither the contract's nor widens to it.
fn type_differences(place: &Place, contract: &Contract, table: &Table) -> Vec<Difference> {
    let audit = AUDIT.iter().map(|(name, kind, _)| (*name, *kind));
    let columns = contract
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.physical))
        .chain(audit);
    let mut differences = Vec::new();
    for (name, wanted) in columns {
        let Some(found) = table.column(name) else {
            continue;
        };
        let agrees = PhysicalType::parse(&found.kind)
            .is_some_and(|kind| kind == wanted || kind.widens_to(wanted));
        if !agrees {
            let remedy = format!(
                "Write `physicalType: {}` again, or add a column of another name and retire this one.",
                found.kind
            );
            differences.push(place.differs(
                Some(name),
                &format!("`{}`", found.kind),
                &format!("`{wanted}`"),
                &remedy,
            ));
        }
    }
    differences
}

/// New duties that rows already there do not fulfil.
async fn data_differences(
    tx: &mut PgConnection,
    place: &Place<'_>,
    contract: &Contract,
    table: &Table,
) -> sqlx::Result<Vec<Difference>> {
    let mut differences = Vec::new();
    for column in &contract.columns {
        let name = column.name.as_str();
        if column.required && name != "id" && !table.is_required(place.table, name) {
            let missing = if table.column(name).is_some() {
                format!("and \"{name}\" is null")
            } else {
                String::new()
            };
            let rows = count(
                tx,
                format!(
                    "select count(*) from {} where not ({EXEMPT}) {missing}",
                    place.sql()
                ),
            )
            .await?;
            if rows > 0 {
                let remedy = "Leave it not required until every row has a value, then require it.";
                differences.push(place.differs(
                    Some(name),
                    &format!("{rows} rows without a value"),
                    "required",
                    remedy,
                ));
            }
        }
        if column.unique && table.column(name).is_some() && !table.is_unique(place.table, name) {
            let sql = format!(
                "select count(*) from (select from {} where not ({EXEMPT}) and \"{name}\" is not null group by \"{name}\" having count(*) > 1) repeated",
                place.sql()
            );
            let values = count(tx, sql).await?;
            if values > 0 {
                let remedy = "Resolve the repeated values first, or leave it not unique.";
                differences.push(place.differs(
                    Some(name),
                    &format!("{values} values that repeat"),
                    "unique",
                    remedy,
                ));
            }
        }
    }
    Ok(differences)
}

async fn count(tx: &mut PgConnection, sql: String) -> sqlx::Result<i64> {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(tx).await
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
            changes.push(Change::Described(Some(column.name.clone())));
        }
    }
    for found in &table.columns {
        let known = contract.column(&found.name).is_some()
            || AUDIT.iter().any(|(name, ..)| *name == found.name);
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

/// Required and unique, as named constraints that spare placeholders and tombstones.
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

/// A column the contract no longer names keeps its values and loses its duties; its comment says so, once.
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
    // A column that people added by hand may bear any name; only names the engine could have given are touched.
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

/// `comment on` takes no parameters, so PostgreSQL itself quotes the text.
async fn describe(
    tx: &mut PgConnection,
    place: &Place<'_>,
    column: Option<&str>,
    text: Option<&str>,
) -> sqlx::Result<()> {
    let literal: String = sqlx::query_scalar("select quote_nullable($1::text)")
        .bind(text)
        .fetch_one(&mut *tx)
        .await?;
    let subject = match column {
        Some(column) => format!("column {}.\"{column}\"", place.sql()),
        None => format!("table {}", place.sql()),
    };
    run(tx, format!("comment on {subject} is {literal}")).await
}
