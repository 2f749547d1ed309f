//! `concord source test`.

use std::time::Instant;

use fetcher::{FetchError, Module, Selection, Source, pages, probe};
use futures::StreamExt;
use serde::Serialize;

use crate::commands::Answer;
use crate::config::{Config, open_source};
use crate::process::{self, explain};
use crate::table::Table;

/// Which source.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The source's name, as in `[sources.NAME]`.
    name: String,
}

/// The result of one request to a source.
#[derive(Debug, Serialize)]
pub struct Reply {
    /// What was asked for.
    pub what: String,
    /// Whether the answer was usable.
    pub ok: bool,
    /// How many records the source says there are.
    pub total_count: Option<u64>,
    /// How long it took.
    pub duration_ms: u128,
    /// What went wrong, with a next step.
    pub cause: Option<String>,
}

/// Opens a source without retries: a person waits for the answer.
pub fn opened_once(config: &Config, name: &str) -> anyhow::Result<Source> {
    let mut config = config.clone();
    if let Some(source) = config.sources.get_mut(name) {
        source.retry.attempts = 1;
    }
    open_source(&config, name)
}

/// Asks for a sign of life.
pub async fn first_reply(source: &Source) -> (Reply, Option<FetchError>) {
    let start = Instant::now();
    let outcome = probe(source).await;
    reply("a sign of life", start, outcome.map(|()| None))
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let source = opened_once(config, &args.name)?;
    let (first, failure) = first_reply(&source).await;
    let mut exit = exit_of(failure);
    let mut replies = vec![first];
    let mut modules = config.load_modules()?;
    // Where nobody answers, asking for records would only say so again.
    modules.retain(|module| exit == 0 && module.source == args.name);
    for module in modules {
        let (reply, failure) = one_record(&source, module).await;
        exit = exit.max(exit_of(failure));
        replies.push(reply);
    }
    let mut table = Table::new(&["asked for", "answer", "records there", "ms"]);
    for reply in &replies {
        table.row([
            reply.what.clone(),
            if reply.ok { "ok" } else { "FAILED" }.to_owned(),
            reply
                .total_count
                .map_or_else(|| "-".to_owned(), |total| total.to_string()),
            reply.duration_ms.to_string(),
        ]);
    }
    let causes: Vec<&str> = replies
        .iter()
        .filter_map(|reply| reply.cause.as_deref())
        .collect();
    Ok(Answer::new(format!("{table}{}", causes.join("\n")), &replies)?.ending_with(exit))
}

async fn one_record(source: &Source, mut module: Module) -> (Reply, Option<FetchError>) {
    let start = Instant::now();
    module.fetch.paging.size = 1;
    let mut stream = pages(source, &module, Selection::default(), None);
    let outcome = match stream.next().await {
        Some(Ok(page)) => Ok(page.total_count),
        Some(Err(failure)) => Err(failure),
        None => Ok(None),
    };
    reply(&format!("one of {}", module.name), start, outcome)
}

fn reply(
    what: &str,
    start: Instant,
    outcome: Result<Option<u64>, FetchError>,
) -> (Reply, Option<FetchError>) {
    let (total_count, failure) = match outcome {
        Ok(total) => (total, None),
        Err(failure) => (None, Some(failure)),
    };
    let reply = Reply {
        what: what.to_owned(),
        ok: failure.is_none(),
        total_count,
        duration_ms: start.elapsed().as_millis(),
        cause: failure.as_ref().map(ToString::to_string),
    };
    (reply, failure)
}

fn exit_of(failure: Option<FetchError>) -> u8 {
    failure.map_or(0, |failure| {
        let error = anyhow::Error::from(failure);
        tracing::debug!(cause = %explain(&error), "The source did not answer as it should.");
        process::exit_code(&error)
    })
}
