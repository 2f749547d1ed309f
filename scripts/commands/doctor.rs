//! `concord doctor`: looks at everything a run needs, and says what to do about what is wrong.

use std::collections::BTreeMap;

use anyhow::Context;
use fetcher::AuthKind;
use reconciler::contract::{Contract, ContractError, contract_problems};
use reconciler::{Definitions, history, lost_table, restore};
use serde::Serialize;
use sqlx::PgPool;
use staging::database::{MIGRATOR, query_scalar};

use super::Answer;
use super::source::{first_reply, opened_once};
use crate::config::Config;
use crate::process::{EXIT_FAILED, explain};
use crate::table::Table;

/// Look at programs, database, contracts, history, sources and tokens.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ask no source, as on a machine without a network.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

fn finding(what: impl Into<String>, outcome: anyhow::Result<String>) -> Finding {
    let what = what.into();
    match outcome {
        Ok(detail) => Finding {
            what,
            ok: true,
            detail,
        },
        Err(error) => Finding {
            what,
            ok: false,
            detail: explain(&error).replace("\n  because: ", " Because: "),
        },
    }
}

/// Looks at everything; one thing that is wrong does not hide the next.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let mut findings = vec![
        finding("programs", programs()),
        finding("configuration", Ok(place(config))),
    ];
    let definitions = compiled(config);
    let modules = definitions
        .as_ref()
        .map(|all| format!("{} modules", all.parents_first().len()));
    findings.push(finding(
        "modules",
        modules.map_err(|error| anyhow::anyhow!(explain(error))),
    ));
    match of_database(config, definitions.as_ref().ok()).await {
        Ok(of_database) => findings.extend(of_database),
        Err(error) => findings.push(finding("database", Err(error))),
    }
    findings.extend(of_sources(&args, config).await);
    let mut table = Table::new(&["", "what", "finding"]).within(usize::MAX);
    for finding in &findings {
        table.row([
            if finding.ok { "ok" } else { "WRONG" }.to_owned(),
            finding.what.clone(),
            finding.detail.clone(),
        ]);
    }
    let exit = if findings.iter().all(|finding| finding.ok) {
        0
    } else {
        EXIT_FAILED
    };
    Ok(Answer::new(table.to_string(), &findings)?.ending_with(exit))
}

/// Looks at the database as it stands: none is made, and none is migrated.
async fn of_database(
    config: &Config,
    definitions: Option<&Definitions>,
) -> anyhow::Result<Vec<Finding>> {
    let Some(database) = staging::database::look(&config.database).await? else {
        let place = config.database.data_dir.display();
        let none = format!("none yet; the first run makes the embedded one in {place}");
        return Ok(vec![finding("database", Ok(none))]);
    };
    let pool = &database.pool;
    let mut findings = vec![finding("database", server(pool).await)];
    let version = applied(pool).await;
    let is_current = matches!(&version, Ok(Some(version)) if *version == newest());
    findings.push(finding("migrations", version.and_then(migrations)));
    if is_current {
        if let Some(definitions) = definitions {
            findings.push(finding("contracts", contracts(pool, definitions).await));
            findings.push(finding("production", resolved(pool, definitions).await));
        }
        findings.push(finding("history", chain(pool).await));
    }
    database.close().await?;
    Ok(findings)
}

fn place(config: &Config) -> String {
    match &config.file {
        Some(file) => file.display().to_string(),
        None => "no file; defaults and environment".to_owned(),
    }
}

/// `run_sync` belongs beside this program: cron calls one and people the other.
fn programs() -> anyhow::Result<String> {
    let own = std::env::current_exe()?;
    let other = own.with_file_name(format!("run_sync{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(
        other.is_file(),
        "There is no run_sync beside {}. Install both programs in one folder.",
        own.display()
    );
    Ok(format!(
        "concord and run_sync {} in {}",
        env!("CARGO_PKG_VERSION"),
        own.parent().unwrap_or(&own).display()
    ))
}

fn compiled(config: &Config) -> anyhow::Result<Definitions> {
    Ok(Definitions::compile(&config.load_modules()?, &config.zone)?)
}

/// Production is what records claim and people decided.
async fn resolved(pool: &PgPool, definitions: &Definitions) -> anyhow::Result<String> {
    let mut tx = pool.begin().await?;
    for definition in definitions.parents_first() {
        if let Some(lost) = lost_table(&mut tx, definitions, definition.entity()).await? {
            anyhow::bail!(lost.cause(definition.entity()));
        }
    }
    let cells = restore::unresolved(&mut tx, definitions).await?;
    tx.rollback().await?;
    let named: Vec<String> = cells.iter().take(5).map(ToString::to_string).collect();
    anyhow::ensure!(
        cells.is_empty(),
        "{} cells stand otherwise than records and overrides come to, and no write of them was seen: {}. The next run that concerns them takes them for edits by hand.",
        cells.len(),
        named.join(", ")
    );
    Ok("every row is what its records claim and people decided".to_owned())
}

async fn server(pool: &PgPool) -> anyhow::Result<String> {
    let mut tx = pool.begin().await?;
    let version: String = query_scalar("select current_setting('server_version')")
        .fetch_one(&mut *tx)
        .await?;
    let size: String = query_scalar("select pg_size_pretty(pg_database_size(current_database()))")
        .fetch_one(&mut *tx)
        .await?;
    tx.rollback().await?;
    Ok(format!("PostgreSQL {version}, {size}"))
}

/// The schema this program brings a database to.
fn newest() -> i64 {
    let versions = MIGRATOR.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

/// The schema the database is at; `None` where nothing was ever applied.
async fn applied(pool: &PgPool) -> anyhow::Result<Option<i64>> {
    let mut tx = pool.begin().await?;
    let is_there: bool = query_scalar("select to_regclass('concord.migrations') is not null")
        .fetch_one(&mut *tx)
        .await?;
    let version = match is_there {
        true => {
            query_scalar("select max(version) from concord.migrations")
                .fetch_one(&mut *tx)
                .await?
        }
        false => None,
    };
    tx.rollback().await?;
    Ok(version)
}

fn migrations(version: Option<i64>) -> anyhow::Result<String> {
    let newest = newest();
    match version {
        None => Ok("none yet; the first run applies them".to_owned()),
        Some(version) if version == newest => Ok(format!("at {version}, as this program")),
        Some(version) if version < newest => Ok(format!(
            "at {version}; the next run, or `concord migrate`, brings them to {newest}, and then there is more to look at"
        )),
        Some(version) => anyhow::bail!(
            "The database is at {version} and this program at {newest}. Install the newer version of Concord that wrote it."
        ),
    }
}

/// Each table's contract: the union of those of all modules that fill it.
fn contracts_by_entity(definitions: &Definitions) -> Result<Vec<Contract>, ContractError> {
    let mut by_entity: BTreeMap<&str, Vec<Contract>> = BTreeMap::new();
    for definition in definitions.parents_first() {
        by_entity
            .entry(definition.entity())
            .or_default()
            .push(definition.contract.clone());
    }
    by_entity
        .values()
        .map(|contracts| Contract::union(contracts))
        .collect()
}

async fn contracts(pool: &PgPool, definitions: &Definitions) -> anyhow::Result<String> {
    let contracts = contracts_by_entity(definitions)?;
    let mut tx = pool.begin().await?;
    let mut problems = Vec::new();
    let mut missing = 0;
    for contract in &contracts {
        let is_there: bool = query_scalar("select to_regclass(format('prod.%I', $1)) is not null")
            .bind(&contract.entity)
            .fetch_one(&mut *tx)
            .await?;
        if is_there {
            problems.extend(contract_problems(&mut tx, "prod", contract).await?);
        } else {
            missing += 1;
        }
    }
    tx.rollback().await?;
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join(" "));
    Ok(match missing {
        0 => format!("{} tables are as their contracts say", contracts.len()),
        _ => format!(
            "{} of {} tables are not there yet; their first run creates them",
            missing,
            contracts.len()
        ),
    })
}

async fn chain(pool: &PgPool) -> anyhow::Result<String> {
    let mut tx = pool.begin().await?;
    let verified = history::verify(&mut tx).await?;
    tx.rollback().await?;
    if !verified.broken.is_empty() {
        let named: Vec<String> = verified
            .broken
            .iter()
            .take(5)
            .map(|broken| format!("{}: {}.", broken.place, broken.why))
            .collect();
        anyhow::bail!(
            "{} faults. {} Restore the schema `history` from a backup, or find out who wrote to it.",
            verified.broken.len(),
            named.join(" ")
        );
    }
    let edited: i64 = verified
        .edited_by_hand
        .iter()
        .map(|entity| entity.rows)
        .sum();
    let by_hand = if edited > 0 {
        format!("; {edited} rows were edited by hand since, which is allowed")
    } else {
        String::new()
    };
    Ok(format!(
        "{} promotions, every hash as it should be{by_hand}",
        verified.promotions
    ))
}

async fn of_sources(args: &Args, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let by_token = |kind| {
        matches!(
            kind,
            AuthKind::Oauth2Refresh | AuthKind::Oauth2ClientCredentials
        )
    };
    for (name, source) in &config.sources {
        if by_token(source.auth.kind) {
            findings.push(finding(
                format!("tokens of {name}"),
                token(config, name, source.auth.kind),
            ));
        }
        if args.offline {
            continue;
        }
        findings.push(finding(
            format!("source {name}"),
            reached(config, name).await,
        ));
    }
    if config.sources.is_empty() {
        let error = anyhow::anyhow!(
            "No source is configured. Add a section [sources.NAME] to concord.toml."
        );
        findings.push(finding("sources", Err(error)));
    }
    findings
}

fn token(config: &Config, name: &str, kind: AuthKind) -> anyhow::Result<String> {
    // Opening the store would make it.
    let stored = match config.database.data_dir.join("tokens").is_dir() {
        true => config.token_store()?.load(name)?,
        false => None,
    };
    match (stored, kind) {
        (Some(_), _) => Ok("stored, and readable with this key".to_owned()),
        (None, AuthKind::Oauth2ClientCredentials) => {
            Ok("none yet; the first request buys one".to_owned())
        }
        (None, _) => {
            anyhow::bail!("None is stored. Log in once with `concord source login {name}`.")
        }
    }
}

async fn reached(config: &Config, name: &str) -> anyhow::Result<String> {
    let source = opened_once(config, name).context("It cannot be opened.")?;
    let (reply, failure) = first_reply(&source).await;
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(format!("answers in {} ms", reply.duration_ms)),
    }
}
