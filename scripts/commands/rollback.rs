//! `concord rollback`: production as it was after an earlier promotion, as a new promotion.

use std::io::{self, IsTerminal, Write};

use reconciler::history::{self, Operation, RollbackOutcome, RollbackPlan};
use reconciler::restore::WrittenByHand;
use reconciler::{Definitions, restore};
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use staging::database::query_scalar;

use super::actor::Actor;
use super::diff::row_text;
use super::{Answer, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Return production to the state after promotion NUMBER, as a new promotion that can itself be rolled back.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The promotion to return to, as `concord log` numbers them; 0 is before the first.
    number: i64,
    /// Why; kept with the promotion.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
    /// Show the plan and do nothing.
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Give up what people wrote into production by hand since, too.
    #[arg(long)]
    discard_local: bool,
}

/// Shows the plan, asks, and does it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    if args.reason.trim().is_empty() {
        return Err(UsageError(
            "The reason is empty. Say with --reason why production returns.".to_owned(),
        )
        .into());
    }
    with_database(config, async |pool| {
        let plan = planned(pool, &args).await?;
        if let Some(refusal) = plan.plan.refused.first() {
            return Err(UsageError(sentence(refusal)).into());
        }
        if args.dry_run {
            return Answer::new(said(&plan, &args), &json!({ "done": false, "plan": plan }));
        }
        if plan.is_done(&args) {
            let text = format!(
                "Production already is as after promotion {}; nothing was written.",
                args.number
            );
            return Answer::new(text, &json!({ "done": false, "plan": plan }));
        }
        if !args.yes {
            eprintln!("{}", said(&plan, &args));
            if !agreed(args.number)? {
                return Answer::new(
                    "Nothing was changed.",
                    &json!({ "done": false, "plan": plan }),
                );
            }
        }
        // Keys of rows that return are computed as their modules say.
        let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
        done(pool, &definitions, &args, &plan).await
    })
    .await
}

/// The plan, and the rows that people wrote since which no promotion touched.
#[derive(Debug, Serialize)]
struct Planned {
    #[serde(flatten)]
    plan: RollbackPlan,
    /// Rows that only people wrote since: they stay, or are given up with `--discard-local`.
    written_by_hand: Vec<WrittenByHand>,
}

impl Planned {
    /// Whether production is there already.
    fn is_done(&self, args: &Args) -> bool {
        self.plan.rows.is_empty() && (!args.discard_local || self.written_by_hand.is_empty())
    }
}

async fn planned(pool: &PgPool, args: &Args) -> anyhow::Result<Planned> {
    let mut tx = pool.begin().await?;
    let plan = history::plan_rollback(&mut tx, args.number, args.discard_local).await?;
    let written_by_hand = restore::written_since(&mut tx, args.number).await?;
    tx.rollback().await?;
    Ok(Planned {
        plan,
        written_by_hand,
    })
}

/// Asks on the terminal; anything but a clear yes is a no.
fn agreed(number: i64) -> anyhow::Result<bool> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        let why = "Nothing was changed: nobody can be asked here. Look at the plan above, and give --yes to do it.";
        return Err(UsageError(why.to_owned()).into());
    }
    eprint!("Return production to promotion {number}? [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(
        answer.trim().to_lowercase().as_str(),
        "y" | "yes" | "o" | "oui"
    ))
}

async fn done(
    pool: &PgPool,
    definitions: &Definitions,
    args: &Args,
    plan: &Planned,
) -> anyhow::Result<Answer> {
    let actor = args.actor.name();
    let mut tx = pool.begin().await?;
    // The head stays locked until the end, so what was shown is what is done.
    let head: i64 = query_scalar("select number from history.head for update")
        .fetch_one(&mut *tx)
        .await?;
    if head != plan.plan.head {
        anyhow::bail!(
            "Promotion {head} came meanwhile, so the plan is out of date and nothing was changed. Run the command again and look at the new plan."
        );
    }
    let outcome = restore::rollback(
        &mut tx,
        definitions,
        args.number,
        &actor,
        args.reason.trim(),
        args.discard_local,
    )
    .await?;
    let RollbackOutcome::Done { sealed, .. } = outcome else {
        tx.rollback().await?;
        let text = format!(
            "Production already is as after promotion {}; nothing was written.",
            args.number
        );
        return Answer::new(text, &json!({ "done": false, "plan": plan }));
    };
    tx.commit().await?;
    let text = format!(
        "Promotion {} returned {} rows to how they were after promotion {}. `concord rollback {}` undoes it.",
        sealed.number, sealed.changes, args.number, plan.plan.head
    );
    Answer::new(
        text,
        &json!({ "done": true, "promotion": sealed.number, "changes": sealed.changes, "actor": actor, "plan": plan }),
    )
}

fn said(planned: &Planned, args: &Args) -> String {
    let plan = &planned.plan;
    let mut text = format!(
        "To return from promotion {} to {}:\n",
        plan.head, plan.target
    );
    let mut total = 0;
    for tally in &plan.rows {
        text.push_str(&format!(
            "  {} {} {}\n",
            tally.entity, tally.operation, tally.rows
        ));
        total += tally.rows;
    }
    for row in &plan.sample {
        // The values of a row that goes or comes back as a whole would hide the rest.
        match row.operation {
            Operation::Insert | Operation::Delete => {
                text.push_str(&format!(
                    "{}/{} {}\n",
                    row.entity,
                    row.entity_id,
                    row.operation.as_str()
                ));
            }
            Operation::Update | Operation::Tombstone => text.push_str(&row_text(row)),
        }
    }
    if total > plan.sample.len() as i64 {
        text.push_str(&format!(
            "and {} rows more; `concord diff {} {}` shows them.\n",
            total - plan.sample.len() as i64,
            plan.head,
            plan.target
        ));
    }
    if plan.kept_local_count > 0 {
        text.push_str(&format!(
            "{} values written by hand stay (--discard-local gives them up):\n",
            plan.kept_local_count
        ));
    }
    for kept in plan.kept_local.iter().take(10) {
        let column = kept
            .column
            .as_deref()
            .map(|column| format!(".{column}"))
            .unwrap_or_default();
        text.push_str(&format!("  {}/{}{column}\n", kept.entity, kept.entity_id));
    }
    if !planned.written_by_hand.is_empty() {
        let what = match args.discard_local {
            true => "are given up",
            false => "stay (--discard-local gives them up)",
        };
        text.push_str(&format!(
            "{} rows that only people wrote since {what}:\n",
            planned.written_by_hand.len()
        ));
    }
    for row in planned.written_by_hand.iter().take(10) {
        text.push_str(&format!("  {}/{}\n", row.entity, row.entity_id));
    }
    if plan.undone_local_rows > 0 {
        text.push_str(&format!(
            "{} rows lose edits by hand that later promotions found.\n",
            plan.undone_local_rows
        ));
    }
    text
}

/// The history speaks in clauses.
fn sentence(clause: &str) -> String {
    let mut letters = clause.chars();
    let first = letters
        .next()
        .map(|c| c.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
