//! `concord rebuild`: a table that was dropped, emptied or made anew by hand is filled again.

use reconciler::restore::{self, RebuildError};
use reconciler::{Definitions, lost_table};
use serde_json::json;

use super::actor::Actor;
use super::review::reason_of;
use super::{Answer, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Fill a production table again from what its records claimed and what people decided, by a promotion.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The table.
    table: String,
    /// Why; kept with the promotion.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
    /// Accept instead what was done to the table: rows that were deleted by hand stay deleted.
    #[arg(long)]
    accept: bool,
}

/// Fills it again, or accepts what was done to it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let reason = reason_of(&args.reason)?;
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    if !args.yes {
        let why = "Nothing was changed. Give --yes to do it; --accept with it to keep what was done to the table.";
        return Err(UsageError(why.to_owned()).into());
    }
    let author = args.actor.name();
    with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let lost = lost_table(&mut tx, &definitions, &args.table).await?;
        let was = lost.as_ref().map(|lost| lost.cause(&args.table));
        if args.accept {
            restore::accept_table(&mut tx, &definitions, &args.table).await?;
            tx.commit().await?;
            let text = "What was done to the table is accepted; `concord overrides` lists what it holds back.";
            return Answer::new(text, &json!({ "accepted": true, "was": was }));
        }
        let rebuilt = restore::rebuild(&mut tx, &definitions, &args.table, &author, reason)
            .await
            .map_err(|error| match error {
                RebuildError::Refused(why) => anyhow::Error::from(UsageError(why)),
                failure => failure.into(),
            })?;
        tx.commit().await?;
        let Some(sealed) = rebuilt.sealed else {
            let text = format!("Every row of {} stands as it should.", args.table);
            return Answer::new(text, &json!({ "promotion": null, "was": was }));
        };
        let text = format!(
            "Promotion {} wrote {} rows of {}.",
            sealed.number, sealed.changes, args.table
        );
        let json = json!({ "promotion": sealed.number, "changes": sealed.changes, "was": was });
        Answer::new(text, &json)
    })
    .await
}
