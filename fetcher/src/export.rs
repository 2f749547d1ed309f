//! Writes a stream to a file: one record per line.

use std::io::{self, Write};

use futures::{Stream, StreamExt};

use crate::failure::error::FetchError;
use crate::pages::page::{Hole, Page};

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Pages read.
    pub pages: u32,
    /// Records written.
    pub records: u64,
    /// How many records the source says there are.
    pub total_count: Option<u64>,
    /// What is missing.
    pub holes: Vec<Hole>,
}

/// Why a stream could not be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The source failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The file failed.
    #[error(
        "The records could not be written. Check the disk and the path, and run the command again."
    )]
    Write(#[from] io::Error),
}

/// Writes each record on a line of its own, exactly as received but for line breaks between its tokens.
pub async fn write_jsonl(
    mut pages: impl Stream<Item = Result<Page, FetchError>> + Unpin,
    out: &mut impl Write,
) -> Result<Written, ExportError> {
    let mut written = Written::default();
    while let Some(page) = pages.next().await {
        let page = page?;
        for record in &page.records {
            write_line(&record.json, out)?;
        }
        written.pages += 1;
        written.records += page.records.len() as u64;
        written.total_count = page.total_count.or(written.total_count);
        written.holes.extend(page.holes);
    }
    out.flush()?;
    Ok(written)
}

/// Valid JSON holds raw line breaks only between tokens: inside strings they are always escaped.
fn write_line(json: &[u8], out: &mut impl Write) -> io::Result<()> {
    for piece in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        out.write_all(piece)?;
    }
    out.write_all(b"\n")
}
