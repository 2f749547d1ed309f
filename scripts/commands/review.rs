//! `concord review`: records whose match a person decides.

use anyhow::Context;
use reconciler::entity_resolution::{Word, say};
use reconciler::{Definition, Definitions};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as, query_scalar};

use super::actor::Actor;
use super::{Answer, reading, with_database};
use crate::config::Config;
use crate::process::UsageError;
use crate::table::Table;

/// What to do about records in review.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Records that wait for a person's word, the one most worth asking about first.
    List(List),
    /// A record is an entity: kept as a link; the next run lands it so.
    Accept(Decide),
    /// A record is not the entities it may be: kept as negative links; the next run lands it without them.
    Reject(Decide),
    /// Put a record behind all others.
    Later(Later),
}

/// Which to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only records of this module.
    #[arg(long)]
    module: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=100_000))]
    limit: i64,
}

/// A person's word.
#[derive(Debug, clap::Args)]
pub struct Decide {
    /// The record, as `MODULE/ID`.
    record: String,
    /// The entity, where there are several or it is another.
    #[arg(long)]
    entity: Option<String>,
    /// Even though somebody else has decided it since the last run.
    #[arg(long)]
    overrule: bool,
    /// Why; kept with the decision.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    actor: Actor,
}

/// Which to put off.
#[derive(Debug, clap::Args)]
pub struct Later {
    /// The record, as `MODULE/ID`.
    record: String,
    #[command(flatten)]
    actor: Actor,
}

/// A record that waits.
#[derive(Debug, Serialize, sqlx::FromRow)]
struct Waiting {
    problem_id: i64,
    module: String,
    source_id: String,
    code: String,
    why: String,
    detail: Value,
    /// How many records wait for this one.
    children: i64,
    put_off_by: Option<String>,
    first_seen: String,
}

impl Waiting {
    /// How far from a decision it is, in whole bits: what needs a person least comes last.
    fn distance(&self) -> i64 {
        let number = |pointer: &str| self.detail.pointer(pointer).and_then(Value::as_f64);
        let best = number("/candidates/0/score");
        let boundary = match number("/candidates/1/score") {
            Some(second) => Some(second),
            None => number("/thresholds/match"),
        };
        match (best, boundary) {
            (Some(best), Some(boundary)) => (best - boundary).abs() as i64,
            _ => 0,
        }
    }
}

/// Does it.
pub async fn run(command: Command, config: &Config) -> anyhow::Result<Answer> {
    match command {
        Command::List(list) => listed(&list, config).await,
        Command::Accept(args) => decided(&args, true, config).await,
        Command::Reject(args) => decided(&args, false, config).await,
        Command::Later(args) => put_off(&args, config).await,
    }
}

const WAITING: &str = "
    select p.problem_id, p.module, p.source_id, p.code, p.why, p.detail, p.author as put_off_by,
           (select count(*) from ops.problems c where c.waits_id = p.source_id and c.waits_module = p.module
            and c.state = 'open' and c.waits_id is not null) as children,
           to_char(p.first_seen at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as first_seen
    from ops.problems p
    where p.kind = 'review' and p.state = 'open' and ($1::text is null or p.module = $1)
      and ($2::text is null or p.source_id = $2)
    order by p.problem_id";

async fn waiting(
    conn: &mut PgConnection,
    module: Option<&str>,
    source_id: Option<&str>,
) -> sqlx::Result<Vec<Waiting>> {
    let mut found: Vec<Waiting> = query_as(WAITING)
        .bind(module)
        .bind(source_id)
        .fetch_all(conn)
        .await?;
    found.sort_by_key(|waiting| {
        let is_put_off = waiting.put_off_by.is_some();
        (
            is_put_off,
            waiting.distance(),
            -waiting.children,
            waiting.problem_id,
        )
    });
    Ok(found)
}

async fn listed(list: &List, config: &Config) -> anyhow::Result<Answer> {
    let mut found = reading(config, async |tx| {
        Ok(waiting(tx, list.module.as_deref(), None).await?)
    })
    .await?;
    found.truncate(usize::try_from(list.limit)?);
    if found.is_empty() {
        return Answer::new("Nothing is in review.", &found);
    }
    let mut table = Table::new(&[
        "record",
        "may be",
        "bits",
        "wait for it",
        "put off by",
        "since",
    ]);
    for waiting in &found {
        let entities = waiting.detail["entities"].as_array();
        let names = entities.into_iter().flatten().filter_map(Value::as_str);
        let scores = waiting.detail["candidates"]
            .as_array()
            .into_iter()
            .flatten();
        let scores = scores.filter_map(|candidate| candidate["score"].as_f64());
        table.row([
            format!("{}/{}", waiting.module, waiting.source_id),
            names.collect::<Vec<_>>().join(" "),
            scores
                .map(|score| format!("{score:.1}"))
                .collect::<Vec<_>>()
                .join(" "),
            waiting.children.to_string(),
            waiting.put_off_by.clone().unwrap_or_default(),
            waiting.first_seen.clone(),
        ]);
    }
    Answer::new(table.to_string(), &found)
}

/// The module and the id of a record; the module's name comes from its folder, never from the argument.
pub(super) fn record<'a>(
    name: &'a str,
    definitions: &'a Definitions,
) -> Result<(&'a Definition, &'a str), UsageError> {
    let split = name.split_once('/').filter(|(_, id)| !id.is_empty());
    let (module, id) = split.ok_or_else(|| {
        UsageError(format!(
            "`{name}` names no record. Write MODULE/ID, such as clients/cli_123."
        ))
    })?;
    let definition = definitions
        .get(module)
        .ok_or_else(|| UsageError(format!("There is no module `{module}`.")))?;
    Ok((definition, id))
}

/// The reason, which may not be empty.
pub(super) fn reason_of(reason: &str) -> Result<&str, UsageError> {
    match reason.trim() {
        "" => Err(UsageError(
            "The reason is empty. Say with --reason why it is so.".to_owned(),
        )),
        reason => Ok(reason),
    }
}

async fn decided(args: &Decide, is_same: bool, config: &Config) -> anyhow::Result<Answer> {
    let reason = reason_of(&args.reason)?;
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let (definition, source_id) = record(&args.record, &definitions)?;
    let author = args.actor.name();
    let entities = with_database(config, async |pool| {
        let mut tx = pool
            .begin()
            .await
            .context("The database refused a transaction.")?;
        let found = waiting(&mut tx, Some(definition.name()), Some(source_id)).await?;
        if !args.overrule
            && let Some(told) = decided_by_another(&mut tx, &found, &author).await?
        {
            return Err(UsageError(told).into());
        }
        let entities = entities(args, is_same, found)?;
        for entity_id in &entities {
            must_live(&mut tx, definition, entity_id).await?;
            let word = Word {
                source_id,
                entity_id,
                is_same,
                author: &author,
                reason,
            };
            say(&mut tx, definition, word).await?;
        }
        tx.commit().await?;
        Ok(entities)
    })
    .await?;
    let text = format!(
        "{} is {}{}, says {author}. The next run of {} lands it so.",
        args.record,
        if is_same { "" } else { "not " },
        entities.join(" or "),
        definition.name()
    );
    let json = json!({ "record": args.record, "is_same": is_same, "entities": entities, "author": author, "reason": reason });
    Answer::new(text, &json)
}

/// What somebody else has said of the record since a run last met it, in a sentence. Two who decide at once
/// come one after the other: the question is locked until the word is kept.
async fn decided_by_another(
    conn: &mut PgConnection,
    found: &[Waiting],
    author: &str,
) -> sqlx::Result<Option<String>> {
    let Some(Waiting { problem_id, .. }) = found.first() else {
        return Ok(None);
    };
    query("select from ops.problems where problem_id = $1 for update")
        .bind(problem_id)
        .execute(&mut *conn)
        .await?;
    let said: Option<(String, bool, String, String, String)> = query_as(
        "select l.author, l.is_same, l.entity_id, l.reason, to_char(l.said_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
         from ops.problems p join prod.links l on l.source_id = p.source_id and l.module = p.module
         where p.problem_id = $1 and l.ended_at is null and l.said_at > p.last_seen and l.author <> $2
         order by l.said_at desc limit 1",
    )
    .bind(problem_id)
    .bind(author)
    .fetch_optional(conn)
    .await?;
    Ok(said.map(|(by, is_same, entity, reason, at)| {
        let is = if is_same { "is" } else { "is not" };
        format!(
            "{by} has decided it at {at}: it {is} {entity} (\"{reason}\"), and the next run lands it so. If you know better, say so with --overrule."
        )
    }))
}

/// The entities that the word is about: the one named, else all the record may be, of which only one can be
/// accepted.
fn entities(args: &Decide, is_same: bool, found: Vec<Waiting>) -> Result<Vec<String>, UsageError> {
    let Some(waiting) = found.into_iter().next() else {
        return Err(UsageError(format!(
            "{} is not in review. `concord review list` shows what is; `concord unmerge` takes apart what is joined.",
            args.record
        )));
    };
    if let Some(entity) = &args.entity {
        return Ok(vec![entity.clone()]);
    }
    let all = waiting.detail["entities"].as_array().into_iter().flatten();
    let all: Vec<String> = all.filter_map(Value::as_str).map(str::to_owned).collect();
    if is_same && all.len() > 1 {
        return Err(UsageError(format!(
            "{} may be {}. Say which with --entity.",
            args.record,
            all.join(" or ")
        )));
    }
    Ok(all)
}

async fn must_live(
    conn: &mut PgConnection,
    definition: &Definition,
    entity_id: &str,
) -> anyhow::Result<()> {
    let lives: bool = query_scalar(AssertSqlSafe(format!(
        "select exists (select from prod.\"{}\" where id = $1 and deleted_at is null)",
        definition.entity()
    )))
    .bind(entity_id)
    .fetch_one(conn)
    .await?;
    if !lives {
        let why = format!(
            "There is no living row {}/{entity_id}.",
            definition.entity()
        );
        return Err(UsageError(why).into());
    }
    Ok(())
}

async fn put_off(args: &Later, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let (definition, source_id) = record(&args.record, &definitions)?;
    let author = args.actor.name();
    let moved = with_database(config, async |pool| {
        let sql = "update ops.problems set author = $3
                   where source_id = $2 and module = $1 and kind = 'review' and state = 'open'";
        let moved = query(sql)
            .bind(definition.name())
            .bind(source_id)
            .bind(&author);
        Ok(moved.execute(pool).await?.rows_affected())
    })
    .await?;
    if moved == 0 {
        return Err(UsageError(format!("{} is not in review.", args.record)).into());
    }
    let json = json!({ "record": args.record, "put_off_by": author });
    Answer::new(format!("{} is behind all others now.", args.record), &json)
}
