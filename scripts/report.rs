//! The results that `run_sync` prints.

use std::io::Write;

use reconciler::history::RowDiff;
use runner::{DatabaseAway, DryRun};
use serde::Serialize;
use staging::{ClaimTally, Holder, Outcome, PageTally};

use crate::process::EXIT_WAITING;
use crate::table::Table;
use crate::terminal_escape::escape;

/// One module's line.
#[derive(Debug, Serialize)]
pub struct Line {
    module: String,
    state: &'static str,
    run_id: Option<i64>,
    resumed: bool,
    cause: Option<String>,
    complete: bool,
    staged: PageTally,
    claims: ClaimTally,
    promotion: Option<i64>,
    /// The exit code it asks for.
    #[serde(skip)]
    pub exit: u8,
}

impl Line {
    /// The line of a run.
    pub fn ran(module: &str, run_id: i64, resumed: bool, outcome: &Outcome) -> Self {
        Self {
            module: module.to_owned(),
            state: outcome.state.as_str(),
            run_id: Some(run_id),
            resumed,
            cause: outcome.cause.clone(),
            complete: outcome.complete,
            staged: outcome.staged,
            claims: outcome.claims,
            promotion: outcome.promotion,
            exit: outcome.state.exit_code(),
        }
    }

    /// The line of a module that another process runs.
    pub fn held(module: &str, holder: &Holder) -> Self {
        let cause = format!(
            "Already running since {} in process {}; this one skips it.",
            holder.since, holder.holder
        );
        Self::waits(module, cause)
    }

    /// The line of a module whose database stayed away.
    pub fn away(module: &str, away: &DatabaseAway) -> Self {
        Self::waits(module, away.to_string())
    }

    fn waits(module: &str, cause: String) -> Self {
        Self {
            module: module.to_owned(),
            state: "WAITING",
            run_id: None,
            resumed: false,
            cause: Some(cause),
            complete: false,
            staged: PageTally::default(),
            claims: ClaimTally::default(),
            promotion: None,
            exit: EXIT_WAITING,
        }
    }

    /// Whether this is the line of `module`, and it did not end OK.
    pub fn stopped(&self, module: &str) -> bool {
        self.module == module && self.exit != 0
    }

    /// The line in a sentence.
    pub fn summary(&self) -> String {
        let (staged, claims) = (&self.staged, &self.claims);
        let mut text = format!(
            "{}{}, {} fetched ({} new, {} changed, {} unchanged), {} inserted, {} updated, {} marked deleted",
            self.state,
            if self.resumed { " (resumed)" } else { "" },
            staged.fetched,
            staged.new,
            staged.changed,
            staged.unchanged,
            claims.inserted,
            claims.updated,
            claims.tombstoned
        );
        if let Some(cause) = &self.cause {
            text = format!("{text}. {cause}");
        }
        text
    }
}

/// The exit code of a whole job: FAILED, then BLOCKED, then PARTIAL, then WAITING, then 0.
pub fn worst_exit(lines: &[Line]) -> u8 {
    let severity = |exit: &u8| if *exit == EXIT_WAITING { 1 } else { *exit };
    lines
        .iter()
        .map(|line| line.exit)
        .max_by_key(severity)
        .unwrap_or(0)
}

/// Prints the results: a table, or one JSON object per line.
pub fn print_lines(lines: &[Line], json: bool) -> anyhow::Result<()> {
    let mut text = String::new();
    if json {
        for line in lines {
            text += &serde_json::to_string(line)?;
            text.push('\n');
        }
    } else if !lines.is_empty() {
        text = table_of(lines).to_string();
    }
    // The work is done and committed; only its report is lost.
    if let Err(error) = put(&text) {
        tracing::warn!(%error, "the results cannot be printed; `concord runs` shows them");
    }
    Ok(())
}

fn put(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn table_of(lines: &[Line]) -> Table {
    let headings = [
        "module",
        "state",
        "fetched",
        "new",
        "changed",
        "same",
        "inserted",
        "updated",
        "deleted",
        "quarantined",
        "parked",
        "review",
        "promotion",
    ];
    let mut table = Table::new(&headings);
    for line in lines {
        let (staged, claims) = (&line.staged, &line.claims);
        let numbers = [
            i64::from(staged.fetched),
            i64::from(staged.new),
            i64::from(staged.changed),
            i64::from(staged.unchanged),
            claims.inserted,
            claims.updated,
            claims.tombstoned,
            claims.quarantined,
            claims.parked,
            claims.in_review,
        ];
        let mut cells = vec![line.module.clone(), line.state.to_owned()];
        cells.extend(numbers.iter().map(ToString::to_string));
        cells.push(
            line.promotion
                .map_or_else(|| "-".to_owned(), |number| number.to_string()),
        );
        table.row(cells);
    }
    table
}

/// Prints what a run would do.
pub fn print_dry_run(module: &str, dry: &DryRun, json: bool) {
    if json {
        let answer = serde_json::json!({
            "module": module,
            "dry_run": true,
            "staged": dry.staged,
            "claims": dry.reconciled.tally,
            "extent": dry.reconciled.extent,
            "blocked": dry.reconciled.exceeded,
            "cause": dry.cause,
            "rows": dry.rows,
        });
        println!("{answer}");
        return;
    }
    let (staged, tally) = (&dry.staged, &dry.reconciled.tally);
    println!(
        "{module}: would insert {}, update {}, mark {} deleted, quarantine {}, park {} of {} records read. Nothing was written.",
        tally.inserted,
        tally.updated,
        tally.tombstoned,
        tally.quarantined,
        tally.parked,
        staged.fetched
    );
    if let Some(objection) = &dry.reconciled.exceeded {
        println!("  {objection} It would wait for approval.");
    }
    if let Some(cause) = &dry.cause {
        println!("  {cause}");
    }
    for row in &dry.rows {
        println!("{}", escape(&row_text(row)));
    }
}

/// A changed row, one line per cell.
pub fn row_text(row: &RowDiff) -> String {
    let mut text = format!(
        "  {} {}/{}",
        row.operation.as_str(),
        row.entity,
        row.entity_id
    );
    for cell in &row.cells {
        text.push_str(&format!(
            "\n      {}: {} -> {}",
            cell.column, cell.before, cell.after
        ));
    }
    text
}
