//! `concord fetch`: a module's records into a file, with no database at all.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use fetcher::{FetchError, Page, Selection, Written, pages, write_jsonl};
use futures::{Stream, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Answer;
use crate::config::{Config, open_source};
use crate::process::EXIT_PARTIAL;

/// Read a module's records from its source into a file, one JSON object per line, as received.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module.
    module: String,
    /// The file to write, or `-` for standard output. It is replaced only when everything came.
    #[arg(long)]
    out: PathBuf,
    /// Only records since this value, where the module reads by `since`.
    #[arg(long)]
    since: Option<String>,
}

/// Reads it.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let module = config.load_module(&args.module)?;
    let source = open_source(config, &module.source)?;
    let bar = progress(&module.name);
    let stream = watched(
        pages(
            &source,
            &module,
            Selection {
                since: args.since.clone(),
                until: None,
                page_size: None,
            },
            None,
        ),
        bar.clone(),
    );
    let written = if args.out.as_os_str() == "-" {
        write_jsonl(stream, &mut io::stdout()).await?
    } else {
        to_file(stream, &args.out).await?
    };
    bar.finish_and_clear();
    let short = written
        .total_count
        .filter(|total| args.since.is_none() && *total != written.records);
    let mut text = format!(
        "{} records of {} on {} pages.",
        written.records, module.name, written.pages
    );
    if let Some(total) = short {
        text.push_str(&format!(" The source says it has {total}; read again."));
    }
    for hole in written.holes.iter().take(10) {
        text.push_str(&format!("\nmissing: {} {}", hole.path, hole.message));
    }
    if written.holes.len() > 10 {
        text.push_str(&format!("\nand {} more", written.holes.len() - 10));
    }
    let complete = short.is_none() && written.holes.is_empty();
    let json = json!({
        "module": module.name, "out": args.out, "complete": complete, "pages": written.pages,
        "records": written.records, "total_count": written.total_count, "holes": written.holes,
    });
    let exit = if complete { 0 } else { EXIT_PARTIAL };
    if args.out.as_os_str() == "-" {
        // Standard output holds the records and nothing else.
        eprintln!("{text}");
        return Ok(Answer::silent(exit));
    }
    Ok(Answer::new(text, &json)?.ending_with(exit))
}

/// Written beside and moved into place, so that a file of that name is always whole. What is no file, such as
/// a device or a pipe, is written to and stays what it is.
async fn to_file(
    stream: impl Stream<Item = Result<Page, FetchError>> + Unpin,
    out: &Path,
) -> anyhow::Result<Written> {
    if std::fs::metadata(out).is_ok_and(|there| !there.is_file()) {
        let opened = File::options().write(true).open(out).with_context(|| {
            format!(
                "{} cannot be written. Choose another with --out.",
                out.display()
            )
        })?;
        let mut writer = BufWriter::new(opened);
        let written = write_jsonl(stream, &mut writer).await?;
        writer.flush()?;
        return Ok(written);
    }
    let mut name = out
        .file_name()
        .map(std::ffi::OsStr::to_owned)
        .unwrap_or_default();
    name.push(format!(".part-{}", std::process::id()));
    let draft = out.with_file_name(name);
    let failed = || {
        format!(
            "{} cannot be written. Check the folder, or choose another with --out.",
            out.display()
        )
    };
    let mut writer = BufWriter::new(File::create(&draft).with_context(failed)?);
    let done = async {
        let written = write_jsonl(stream, &mut writer).await?;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        std::fs::rename(&draft, out)?;
        anyhow::Ok(written)
    };
    let outcome = done.await;
    if outcome.is_err() {
        // The failure itself is what matters; a draft that stays behind is only untidy.
        let _ = std::fs::remove_file(&draft);
    }
    outcome
}

fn progress(module: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(
        "{prefix} {bar:30} {human_pos}/{human_len} records, {per_sec}, {eta} left",
    );
    ProgressBar::new(0)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(module.to_owned())
}

fn watched<S>(pages: S, bar: ProgressBar) -> impl Stream<Item = Result<Page, FetchError>> + Unpin
where
    S: Stream<Item = Result<Page, FetchError>> + Unpin,
{
    pages.inspect(move |page| {
        if let Ok(page) = page {
            bar.inc(page.records.len() as u64);
            if let Some(total) = page.total_count {
                bar.set_length(total);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileTypeExt;

    #[tokio::test]
    async fn what_is_no_file_is_not_replaced_by_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        // A socket cannot be opened like a file, and must still be one afterwards.
        assert!(to_file(futures::stream::empty(), &path).await.is_err());
        let kind = std::fs::metadata(&path).expect("it is there").file_type();
        assert!(kind.is_socket());
        let null = to_file(futures::stream::empty(), Path::new("/dev/null")).await;
        assert!(null.is_ok() && !std::fs::metadata("/dev/null").is_ok_and(|there| there.is_file()));
    }
}
