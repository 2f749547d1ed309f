//! `concord approve`: lets a blocked change set pass.

use serde::Serialize;
use staging::database::{query, query_as};

use super::actor::Actor;
use super::{Answer, with_database};
use crate::config::Config;
use crate::process::UsageError;

/// Approve a change set that a guard stopped; the next run applies it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The problem's number, as `concord status` and the run's cause show it.
    problem_id: i64,
    /// Why it may pass; kept with the decision.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
}

#[derive(sqlx::FromRow)]
struct Found {
    kind: String,
    state: String,
    module: String,
}

#[derive(Serialize)]
struct Approved {
    problem_id: i64,
    module: String,
    author: String,
    reason: String,
}

/// Approves one waiting change set.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let (id, reason, author) = (
        args.problem_id,
        args.reason.trim().to_owned(),
        args.actor.name(),
    );
    if reason.is_empty() {
        return Err(UsageError(
            "The reason is empty. Say with --reason why these changes may pass.".to_owned(),
        )
        .into());
    }
    let module = with_database(config, async |pool| {
        let mut tx = pool.begin().await?;
        let found: Option<Found> = query_as("select kind, state, module from ops.problems where problem_id = $1 for update")
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
        let module = approvable(id, found)?;
        query(
            "update ops.problems set state = 'approved', author = $2, reason = $3, resolved_at = clock_timestamp()
             where problem_id = $1",
        )
        .bind(id)
        .bind(&author)
        .bind(&reason)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(module)
    })
    .await?;
    let text = format!("Approved by {author}. `run_sync --module {module}` applies the changes.");
    Answer::new(
        text,
        &Approved {
            problem_id: id,
            module,
            author,
            reason,
        },
    )
}

fn approvable(id: i64, found: Option<Found>) -> Result<String, UsageError> {
    let refuse = |why: String| Err(UsageError(why));
    match found {
        None => refuse(format!(
            "There is no problem {id}. `concord status` shows what waits."
        )),
        Some(found) if found.kind != "approval" => refuse(format!(
            "Problem {id} is of the kind `{}`, and only a change set that a guard stopped can be approved.",
            found.kind
        )),
        Some(found) if found.state != "open" => refuse(format!(
            "Problem {id} is already {}; nothing is left to approve.",
            found.state
        )),
        Some(found) => Ok(found.module),
    }
}
