//! `concord module preview`.

use fetcher::{Record, Selection, pages};
use futures::StreamExt;
use reconciler::{Definition, Definitions, Rejection, Row};
use serde_json::Value;

use super::side_by_side::{Previewed, side_by_side};
use super::target::Target;
use crate::commands::Answer;
use crate::config::{Config, open_source};
use crate::table::terminal_width;

/// Which module.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module's name, or its folder.
    module: String,
    /// How many records.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    records: u32,
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let target = Target::of(&args.module);
    let modules = target.load(config)?;
    let name = target.find(&modules)?.name.clone();
    let definitions = Definitions::compile(&modules, &config.zone)?;
    let definition = definitions
        .get(&name)
        .expect("the target is among the modules compiled");
    let source = open_source(config, &definition.module.source)?;
    let mut module = definition.module.clone();
    module.fetch.paging.size = module.fetch.paging.size.min(args.records);
    let wanted = args.records as usize;
    let mut stream = pages(&source, &module, Selection::default(), None);
    let mut shown: Vec<Previewed> = Vec::new();
    while let Some(page) = stream.next().await.filter(|_| shown.len() < wanted) {
        let room = wanted - shown.len();
        shown.extend(
            page?
                .records
                .iter()
                .take(room)
                .map(|record| previewed(record, definition)),
        );
        if shown.len() == wanted {
            break;
        }
    }
    if shown.is_empty() {
        return Answer::new(format!("The source has no record for {name}."), &shown);
    }
    let width = terminal_width();
    let text: Vec<String> = shown
        .iter()
        .map(|record| side_by_side(record, width))
        .collect();
    Answer::new(text.join("\n"), &shown)
}

fn previewed(record: &Record, definition: &Definition) -> Previewed {
    let text = String::from_utf8_lossy(&record.json);
    let mut warnings = Vec::new();
    let outcome = definition
        .transform(definition.name(), &text)
        .and_then(|row| {
            row.map(|row| landed(row, record, definition, &mut warnings))
                .transpose()
        });
    let (row, rejection) = match outcome {
        Ok(row) => (row, None),
        Err(rejection) => (None, Some(rejection)),
    };
    let raw = serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()));
    Previewed {
        source_id: record.source_id.clone(),
        raw,
        row,
        rejection,
        warnings,
    }
}

/// The row after rules and contract.
fn landed(
    mut row: Row,
    record: &Record,
    definition: &Definition,
    warnings: &mut Vec<String>,
) -> Result<Row, Rejection> {
    if row.get("id").is_none() {
        row.0
            .shift_insert(0, "id".to_owned(), record.source_id.clone().into());
    }
    // Columns that only matching sees do not land.
    row.0.retain(|column, _| !column.starts_with('_'));
    let mut row = definition.contract.check_partial(&row)?;
    let fired = definition.run_rules(&mut row)?;
    warnings.extend(
        fired
            .into_iter()
            .map(|(code, why)| format!("{code}: {why}")),
    );
    definition.contract.check(&row)
}
