//! `concord show`: everything known about one row of production.

use reconciler::Definitions;
use reconciler::history::{self, EntityChange};
use serde::Serialize;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::{Answer, reading};
use crate::config::Config;
use crate::process::UsageError;
use crate::table::Table;

/// One row of production: its values, who it is at its sources, what waits, and its history.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// `ENTITY/ID`, such as `clients/cli_123`; a module's name does as well as its table's.
    row: String,
    /// Show the records as staged, too.
    #[arg(long)]
    raw: bool,
}

#[derive(Serialize, sqlx::FromRow)]
struct Identity {
    source: String,
    module: String,
    source_id: String,
    method: String,
    score: Option<f64>,
    author: String,
    gone: bool,
    since: String,
    until: Option<String>,
    evidence: Value,
    /// What it says otherwise than the row stands.
    otherwise: Value,
}

#[derive(Serialize, sqlx::FromRow)]
struct Staged {
    module: String,
    source_id: String,
    pass_id: i64,
    page: i32,
    hash: String,
    changed_at: String,
    defect: Option<String>,
    payload: Option<Value>,
    raw_bytes: Option<i32>,
}

#[derive(Serialize, sqlx::FromRow)]
struct Problem {
    problem_id: i64,
    kind: String,
    state: String,
    module: String,
    source_id: String,
    code: String,
    why: String,
    last_seen: String,
}

#[derive(Serialize)]
struct Shown {
    entity: String,
    id: String,
    row: Option<Value>,
    identities: Vec<Identity>,
    staged: Vec<Staged>,
    problems: Vec<Problem>,
    history: Vec<EntityChange>,
}

/// Shows it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let definitions = Definitions::compile(&config.load_modules()?, &config.zone)?;
    let (entity, id) = named(&args.row, &definitions)?;
    let shown = reading(config, async |tx| {
        let row = current(tx, &entity, &id).await?;
        let identities = identities(tx, &entity, &id, row.as_ref()).await?;
        let staged = staged(tx, &entity, &id).await?;
        let problems = problems(tx, &entity, &id).await?;
        let history = history::entity_history(tx, &entity, &id).await?;
        Ok(Shown {
            entity,
            id,
            row,
            identities,
            staged,
            problems,
            history,
        })
    })
    .await?;
    if shown.row.is_none() && shown.identities.is_empty() && shown.history.is_empty() {
        let why = format!(
            "There is no row {}/{}, and there never was. Ids are the source's own, verbatim.",
            shown.entity, shown.id
        );
        return Err(UsageError(why).into());
    }
    Answer::new(said(&shown, args.raw), &shown)
}

/// The table and the id; the table's name comes from a contract, never from the argument.
fn named(row: &str, definitions: &Definitions) -> Result<(String, String), UsageError> {
    let split = row.split_once('/').filter(|(_, id)| !id.is_empty());
    let Some((name, id)) = split else {
        return Err(UsageError(format!(
            "`{row}` names no row. Write ENTITY/ID, such as clients/cli_123."
        )));
    };
    let all = definitions.parents_first();
    let found = all
        .iter()
        .find(|definition| definition.entity() == name || definition.name() == name);
    match found {
        Some(definition) => Ok((definition.entity().to_owned(), id.to_owned())),
        None => {
            let known: Vec<&str> = all.iter().map(|definition| definition.entity()).collect();
            Err(UsageError(format!(
                "There is no table `{name}`. There are {}.",
                known.join(", ")
            )))
        }
    }
}

async fn current(conn: &mut PgConnection, entity: &str, id: &str) -> sqlx::Result<Option<Value>> {
    let is_there: bool = query_scalar("select to_regclass(format('prod.%I', $1)) is not null")
        .bind(entity)
        .fetch_one(&mut *conn)
        .await?;
    if !is_there {
        return Ok(None);
    }
    let sql = format!("select to_jsonb(t) from prod.\"{entity}\" t where id = $1");
    query_scalar(AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(conn)
        .await
}

async fn identities(
    conn: &mut PgConnection,
    entity: &str,
    id: &str,
    row: Option<&Value>,
) -> sqlx::Result<Vec<Identity>> {
    query_as(
        "select source, module, source_id, method, score, author, gone, evidence,
                (select coalesce(jsonb_object_agg(e.key, e.value), '{}') from jsonb_each(claim) e
                 where valid_to is null and e.value is distinct from $3 -> e.key
                   and e.value not in ('null', '\"\"', '[]', '{}')) as otherwise,
                to_char(valid_from at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as since,
                to_char(valid_to at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as until
         from prod.identities where entity = $1 and entity_id = $2
         order by valid_to nulls first, source, module, source_id",
    )
    .bind(entity)
    .bind(id)
    .bind(row)
    .fetch_all(conn)
    .await
}

/// A row may come from another module's record: the records of all its identities, whichever module staged
/// them.
async fn staged(conn: &mut PgConnection, entity: &str, id: &str) -> sqlx::Result<Vec<Staged>> {
    query_as(
        "select r.module, r.source_id, r.pass_id, r.page, encode(r.hash, 'hex') as hash, r.defect, r.payload,
                length(r.raw) as raw_bytes,
                to_char(r.changed_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as changed_at
         from prod.identities i
         join staging.records r on r.module = i.module and r.source_id = i.source_id
         where i.entity = $1 and i.entity_id = $2 and i.valid_to is null
         order by r.module, r.source_id",
    )
    .bind(entity)
    .bind(id)
    .fetch_all(conn)
    .await
}

async fn problems(conn: &mut PgConnection, entity: &str, id: &str) -> sqlx::Result<Vec<Problem>> {
    query_as(
        "select p.problem_id, p.kind, p.state, p.module, p.source_id, p.code, p.why,
                to_char(p.last_seen at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as last_seen
         from ops.problems p
         where exists (select from prod.identities i
                       where i.entity = $1 and i.entity_id = $2 and i.module = p.module and i.source_id = p.source_id)
         order by p.problem_id desc limit 50",
    )
    .bind(entity)
    .bind(id)
    .fetch_all(conn)
    .await
}

fn said(shown: &Shown, raw: bool) -> String {
    let mut text = format!("{}/{}\n", shown.entity, shown.id);
    match &shown.row {
        Some(Value::Object(columns)) => {
            for (column, value) in columns {
                text.push_str(&format!("  {column}: {value}\n"));
            }
        }
        _ => text.push_str("  not in production now\n"),
    }
    text.push_str("\nWho it is at its sources\n");
    text.push_str(&said_of_identities(shown));
    text.push_str(&said_otherwise(shown));
    text.push_str("\nRecords as staged (staging.records)\n");
    text.push_str(&said_of_records(shown, raw));
    if !shown.problems.is_empty() {
        text.push_str("\nProblems\n");
    }
    for problem in &shown.problems {
        text.push_str(&format!(
            "  {} {} {} ({}, {}): {}\n",
            problem.problem_id,
            problem.kind,
            problem.code,
            problem.state,
            problem.last_seen,
            problem.why
        ));
    }
    text.push_str("\nHistory, oldest first\n");
    text.push_str(&said_of_history(shown));
    text
}

fn said_of_identities(shown: &Shown) -> String {
    let mut table = Table::new(&[
        "source", "module", "record", "known by", "author", "since", "until",
    ]);
    for identity in &shown.identities {
        table.row([
            identity.source.clone(),
            identity.module.clone(),
            identity.source_id.clone(),
            identity.score.map_or_else(
                || identity.method.clone(),
                |score| format!("{} {score:.3}", identity.method),
            ),
            identity.author.clone(),
            identity.since.clone(),
            identity.until.clone().unwrap_or_else(|| {
                if identity.gone {
                    "gone at the source"
                } else {
                    "now"
                }
                .to_owned()
            }),
        ]);
    }
    indented(&table.to_string())
}

/// The words that do not stand, by whom.
fn said_otherwise(shown: &Shown) -> String {
    let mut text = String::new();
    for identity in &shown.identities {
        for (column, value) in identity.otherwise.as_object().into_iter().flatten() {
            let record = format!("{}/{}", identity.module, identity.source_id);
            text.push_str(&format!(
                "  {column}: {value} says {record} ({})\n",
                identity.source
            ));
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("\nSaid otherwise\n{text}"),
    }
}

fn said_of_records(shown: &Shown, raw: bool) -> String {
    let mut text = String::new();
    for record in &shown.staged {
        let defect = record
            .defect
            .as_ref()
            .map(|defect| format!(", bytes kept apart: {defect}"))
            .unwrap_or_default();
        text.push_str(&format!(
            "  {}/{}: pass {}, page {}, {}, sha256 {}{defect}\n",
            record.module,
            record.source_id,
            record.pass_id,
            record.page,
            record.changed_at,
            record.hash
        ));
        if let Some(payload) = record.payload.as_ref().filter(|_| raw) {
            text.push_str(&indented(&indented(&format!("{payload:#}\n"))));
        }
    }
    text
}

fn said_of_history(shown: &Shown) -> String {
    let mut text = String::new();
    for change in &shown.history {
        let from = match (
            &change.module,
            &change.source_id,
            change.pass_id,
            change.page,
        ) {
            (Some(module), Some(id), Some(pass), Some(page)) => {
                format!(" from {module}/{id}, pass {pass}, page {page}")
            }
            _ => String::new(),
        };
        text.push_str(&format!(
            "  {} {} {} by {} ({}){from}\n",
            change.number, change.created_at, change.operation, change.actor, change.reason
        ));
        // What an insertion set is what the row above shows, unless it changed; then a later change says so.
        for cell in change.cells.iter().filter(|_| change.operation != "insert") {
            text.push_str(&format!(
                "    {}: {} -> {}\n",
                cell.column, cell.before, cell.after
            ));
        }
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}
