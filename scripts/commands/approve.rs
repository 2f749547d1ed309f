//! `concord approve`: approves a change that blocked a run.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::PgConnection;
use staging::database::{query, query_as};

use super::actor::Actor;
use super::{Answer, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Approve a blocked change; the next run applies it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The problems' numbers, as `concord status` and the run's cause show them.
    #[arg(required = true)]
    problem_ids: Vec<i64>,
    /// Why they may pass; kept with the decision.
    #[arg(long)]
    reason: String,
    /// Reject it instead: the same change is not proposed again.
    #[arg(long)]
    reject: bool,
    #[command(flatten)]
    actor: Actor,
}

#[derive(sqlx::FromRow)]
struct Found {
    kind: String,
    code: String,
    state: String,
    module: String,
}

#[derive(Serialize)]
struct Approved {
    problem_ids: Vec<i64>,
    modules: BTreeSet<String>,
    author: String,
    reason: String,
}

/// Approves all of them, or none.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let reason = args.reason.trim().to_owned();
    let author = args.actor.name();
    if reason.is_empty() {
        return Err(UsageError(
            "The reason is empty. Say with --reason why these changes may pass.".to_owned(),
        )
        .into());
    }
    let modules = with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let mut modules = BTreeSet::new();
        for &id in &args.problem_ids {
            modules.insert(decide(&mut tx, id, args.reject, &author, &reason).await?);
        }
        tx.commit().await?;
        Ok(modules)
    })
    .await?;
    let again: Vec<String> = modules.iter().map(|m| format!("--module {m}")).collect();
    let text = match args.reject {
        true => format!("Rejected by {author}. The same change is not proposed again."),
        false => format!(
            "Approved by {author}. `run_sync {}` goes on.",
            again.join(" ")
        ),
    };
    Answer::new(
        text,
        &Approved {
            problem_ids: args.problem_ids,
            modules,
            author,
            reason,
        },
    )
}

/// Returns the module that may go on.
async fn decide(
    tx: &mut PgConnection,
    id: i64,
    reject: bool,
    author: &str,
    reason: &str,
) -> anyhow::Result<String> {
    let found: Option<Found> = query_as(
        "select kind, code, state, module from ops.problems where problem_id = $1 for update",
    )
    .bind(id)
    .fetch_optional(&mut *tx)
    .await?;
    let module = approvable(id, found, reject)?;
    query(
        "update ops.problems set state = $4, author = $2, reason = $3, resolved_at = clock_timestamp()
         where problem_id = $1",
    )
    .bind(id)
    .bind(author)
    .bind(reason)
    .bind(if reject { "rejected" } else { "approved" })
    .execute(tx)
    .await?;
    Ok(module)
}

fn approvable(id: i64, found: Option<Found>, reject: bool) -> Result<String, UsageError> {
    let refuse = |why: String| Err(UsageError(why));
    match found {
        None => refuse(format!(
            "There is no problem {id}. `concord status` shows what waits."
        )),
        Some(found) if found.kind != "approval" => refuse(format!(
            "Problem {id} is of the kind `{}`, and only what a run was blocked by can be approved.",
            found.kind
        )),
        Some(found) if found.state != "open" => refuse(format!(
            "Problem {id} is already {}; nothing is left to approve.",
            found.state
        )),
        Some(found) if reject && found.code != "guard" => refuse(format!(
            "Problem {id} is no change set: the module stays blocked until it is approved or the source is as before."
        )),
        Some(found) => Ok(found.module),
    }
}
