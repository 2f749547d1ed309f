//! `concord unmerge`: a record becomes an entity of its own again.

use reconciler::{Definitions, UnmergeError, unmerge};
use serde_json::json;

use super::actor::Actor;
use super::review::{reason_of, record};
use super::{Answer, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Take a record out of the entity it joined: it becomes one of its own, by a promotion, and no model joins
/// the two again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The record, as `MODULE/ID`.
    record: String,
    /// Why; kept with the promotion and the link.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
}

/// Takes it out.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let reason = reason_of(&args.reason)?;
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let (definition, source_id) = record(&args.record, &definitions)?;
    let author = args.actor.name();
    let done = with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let done = unmerge(
            &mut tx,
            &definitions,
            definition,
            source_id,
            &author,
            reason,
        )
        .await
        .map_err(|error| match error {
            UnmergeError::Refused(why) => anyhow::Error::from(UsageError(why)),
            failure => failure.into(),
        })?;
        tx.commit().await?;
        Ok(done)
    })
    .await?;
    let number = done.sealed.number;
    let text = format!(
        "{} was {}/{} and is {}/{} now (promotion {number}).",
        args.record,
        definition.entity(),
        done.from,
        definition.entity(),
        done.into
    );
    let json =
        json!({ "record": args.record, "from": done.from, "into": done.into, "promotion": number });
    Answer::new(text, &json)
}
