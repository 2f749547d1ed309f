//! Compares a table with its contract and lists the differences.

use super::audit_columns::AUDIT;
use super::catalogue::Table;
use super::column::PhysicalType;
use super::difference::Difference;
use super::document::Contract;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::query_scalar;

/// Rows exempt from required and unique: placeholder parents and tombstones.
pub(super) const EXEMPT: &str = "is_placeholder or deleted_at is not null";

/// The check before a run: how the table has drifted from its contract while the service was running. It also
/// lists what `evolve` would add without conflict, such as a missing optional column, because that has not
/// been done.
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

/// The table that differences are about.
pub(super) struct Place<'n> {
    pub(super) schema: &'n str,
    pub(super) table: &'n str,
}

impl Place<'_> {
    pub(super) fn sql(&self) -> String {
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

/// Columns whose type is neither the contract's nor can be widened to it.
pub(super) fn type_differences(
    place: &Place,
    contract: &Contract,
    table: &Table,
) -> Vec<Difference> {
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

/// New required or unique columns that existing rows violate.
pub(super) async fn data_differences(
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
                    &format!("{rows} row(s) without a value"),
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
                    &format!("{values} value(s) that repeat"),
                    "unique",
                    remedy,
                ));
            }
        }
    }
    Ok(differences)
}

async fn count(tx: &mut PgConnection, sql: String) -> sqlx::Result<i64> {
    query_scalar(AssertSqlSafe(sql)).fetch_one(tx).await
}
