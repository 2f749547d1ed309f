//! `concord overrides`: what holds production away from its sources, and releasing it.

use reconciler::Definitions;
use reconciler::overrides::{Listed, list};
use reconciler::restore::{self, ReleaseError};
use serde_json::json;

use super::actor::Actor;
use super::review::reason_of;
use super::{Answer, reading, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Overrides listed at most, unless `--limit` says otherwise.
const LIMIT: i64 = 1_000;

/// What holds production away from its sources.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only those of this table.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// As many at most.
    #[arg(long, default_value_t = LIMIT)]
    limit: i64,
}

/// What to do with overrides.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Release the override of a cell, or all of a row: production follows its sources there again.
    Release(Release),
}

/// Which overrides, and why.
#[derive(Debug, clap::Args)]
pub struct Release {
    /// The cell as `TABLE/ID.COLUMN`, or the row as `TABLE/ID`.
    cell: String,
    /// Why; kept with the promotion.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
}

/// Lists them, or releases some.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    match args.command {
        Some(Command::Release(release)) => release_cell(release, config).await,
        None => {
            let table = args.table;
            let limit = args.limit;
            let found = reading(config, async |tx| {
                Ok(list(tx, table.as_deref(), limit).await?)
            })
            .await?;
            Answer::new(said(&found, limit), &found)
        }
    }
}

fn said(found: &[Listed], limit: i64) -> String {
    if found.is_empty() {
        return "Nothing holds production away from its sources.".to_owned();
    }
    let mut text = String::new();
    for of in found {
        let place = match of.cell.as_str() {
            "" => format!("{}/{}", of.entity, of.entity_id),
            column => format!("{}/{}.{column}", of.entity, of.entity_id),
        };
        let against = of.against.as_ref().filter(|_| !of.cell.is_empty());
        let against = against.map_or_else(String::new, |against| format!(" over {against}"));
        text.push_str(&format!(
            "{place}: {}{against}, {} ({}) by {} at {}: {}\n",
            of.value, of.state, of.kind, of.author, of.set_at, of.reason
        ));
    }
    if found.len() as i64 >= limit {
        text.push_str(&format!("The first {limit}; --limit shows more.\n"));
    }
    text.push_str("`concord overrides release TABLE/ID.COLUMN --reason …` gives one up.");
    text
}

async fn release_cell(args: Release, config: &Config) -> anyhow::Result<Answer> {
    let reason = reason_of(&args.reason)?;
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let place = parse(&args.cell, &definitions)?;
    let author = args.actor.name();
    let done = with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let (entity, id, cell) = &place;
        let place = (entity.as_str(), id.as_str(), cell.as_deref());
        let done = restore::release(&mut tx, &definitions, place, &author, reason)
            .await
            .map_err(|error| match error {
                ReleaseError::Refused(why) => anyhow::Error::from(UsageError(why)),
                failure => failure.into(),
            })?;
        tx.commit().await?;
        Ok(done)
    })
    .await?;
    let number = done.sealed.number;
    let text = format!(
        "Released {} overrides of {} (promotion {number}).",
        done.cells.len(),
        args.cell
    );
    let json = json!({ "released": done.cells, "of": args.cell, "promotion": number });
    Answer::new(text, &json)
}

/// Table, row and column. An id may hold dots, so a column is one only where the table has it.
fn parse(
    cell: &str,
    definitions: &Definitions,
) -> anyhow::Result<(String, String, Option<String>)> {
    let Some((entity, rest)) = cell.split_once('/') else {
        return Err(UsageError(format!(
            "`{cell}` is no TABLE/ID or TABLE/ID.COLUMN, such as clients/cli_1.name."
        ))
        .into());
    };
    let is_column = |name: &str| {
        let all = definitions.parents_first().into_iter();
        let mut of_table = all.filter(|of| of.entity() == entity);
        of_table.any(|of| of.contract.column(name).is_some())
    };
    let named = rest
        .rsplit_once('.')
        .filter(|(_, column)| is_column(column));
    Ok(match named {
        Some((id, column)) => (entity.into(), id.into(), Some(column.into())),
        None => (entity.into(), rest.into(), None),
    })
}
