//! `concord migrate`: the database at this program's schema, and production at its contracts.

use std::collections::BTreeMap;

use anyhow::Context;
use reconciler::Definitions;
use reconciler::contract::{Change, Contract, ContractError, evolve};
use serde::Serialize;

use super::{Answer, with_database};
use crate::config::Config;

/// Bring the database to this program's schema and every production table to its contract.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Evolved {
    table: String,
    changes: Vec<String>,
}

/// Each table's contract: the union of those of all modules that fill it.
pub fn contracts_by_entity(definitions: &Definitions) -> Result<Vec<Contract>, ContractError> {
    let mut by_entity: BTreeMap<&str, Vec<Contract>> = BTreeMap::new();
    for definition in definitions.parents_first() {
        by_entity.entry(definition.entity()).or_default().push(definition.contract.clone());
    }
    by_entity.values().map(|contracts| Contract::union(contracts)).collect()
}

/// Migrates and evolves.
pub async fn run(_args: Args, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let contracts = contracts_by_entity(&definitions)?;
    let evolved = with_database(config, async |pool| {
        let mut evolved = Vec::new();
        let mut tx = pool.begin().await?;
        for contract in &contracts {
            let table = format!("prod.{}", contract.entity);
            let changes = evolve(&mut tx, "prod", contract)
                .await
                .with_context(|| format!("{table} was not brought to its contract; no table was changed."))?;
            evolved.push(Evolved { table, changes: changes.iter().map(said).collect() });
        }
        tx.commit().await?;
        Ok(evolved)
    })
    .await?;
    let mut text = String::from("The database is at this program's schema.\n");
    for table in &evolved {
        let changes = if table.changes.is_empty() { "as its contract says".to_owned() } else { table.changes.join("; ") };
        text.push_str(&format!("{}: {changes}\n", table.table));
    }
    Answer::new(text, &evolved)
}

fn said(change: &Change) -> String {
    match change {
        Change::TableCreated => "created".to_owned(),
        Change::ColumnAdded(column) => format!("column {column} added"),
        Change::ColumnWidened { column, from, to } => format!("column {column} widened from {from} to {to}"),
        Change::RequiredAdded(column) => format!("{column} is now required"),
        Change::RequiredDropped(column) => format!("{column} is no longer required"),
        Change::UniqueAdded(column) => format!("{column} is now unique"),
        Change::UniqueDropped(column) => format!("{column} may repeat again"),
        Change::ColumnRetired(column) => format!("{column} is no longer in the contract and stays as it is"),
        Change::Described(None) => "described anew".to_owned(),
        Change::Described(Some(column)) => format!("{column} described anew"),
    }
}
