//! `concord migrate`: the database at this program's schema, and production at its contracts.

use reconciler::{Definitions, prepare_tables};
use serde_json::json;

use super::{Answer, with_database};
use crate::config::Config;

/// Bring the database to this program's schema and every production table to its contract.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Migrates and evolves; opening the database has brought it to the schema already.
pub async fn run(_args: Args, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let changes = with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let changes = prepare_tables(&mut tx, &definitions).await?;
        tx.commit().await?;
        Ok(changes)
    })
    .await?;
    let text = match changes {
        0 => "The database is at this program's schema, and every table is as its contract says.".to_owned(),
        1 => "The database is at this program's schema; 1 change brought the tables to their contracts.".to_owned(),
        many => format!("The database is at this program's schema; {many} changes brought the tables to their contracts."),
    };
    Answer::new(text, &json!({ "changes": changes }))
}
