//! The stand-in as a program: `standin` serves an invented account, `standin bulk` serves pages for
//! benchmarks.

use std::io::Write;

use clap::{Parser, Subcommand};
use standin::{BulkOptions, FaultName, Options, Running};

/// A stand-in for the Gazelle GraphQL API, on the loopback address, with invented data and switchable faults.
///
/// Prints one line of JSON with its addresses and credentials when it is ready.
#[derive(Debug, Parser)]
#[command(name = "standin", version, after_long_help = switches(), args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    mode: Option<Mode>,
    /// End when standard input closes, as it does when the process that started this one ends.
    #[arg(long, global = true)]
    until_stdin_closes: bool,
    #[command(flatten)]
    account: Options,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Serve pre-serialised pages of clients, for benchmarks.
    Bulk(BulkOptions),
    /// Print the schema and end.
    Schema,
}

fn switches() -> String {
    let lines = FaultName::ALL
        .iter()
        .map(|fault| format!("  {:<24} {}", fault.as_str(), fault.help()));
    format!(
        "Switches (--fault NAME[=VALUE], or POST /admin/faults):\n{}",
        lines.collect::<Vec<_>>().join("\n")
    )
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let until = arguments.until_stdin_closes;
    match arguments.mode {
        None => announce(standin::serve(arguments.account).await?, until).await,
        Some(Mode::Bulk(options)) => announce(standin::serve_bulk(options).await?, until).await,
        Some(Mode::Schema) => {
            print!("{}", standin::sdl());
            Ok(())
        }
    }
}

async fn announce(running: Running, until_stdin_closes: bool) -> anyhow::Result<()> {
    let mut line = serde_json::to_value(&running.urls)?;
    line["api_key"] = standin::API_KEY.into();
    line["client_id"] = standin::CLIENT_ID.into();
    line["client_secret"] = standin::CLIENT_SECRET.into();
    line["access_token"] = standin::ACCESS_TOKEN.into();
    line["refresh_token"] = standin::REFRESH_TOKEN.into();
    println!("{line}");
    std::io::stdout().flush()?;
    if until_stdin_closes {
        // A thread of its own: a blocked read must not keep the runtime from ending.
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    running.wait().await;
    Ok(())
}
