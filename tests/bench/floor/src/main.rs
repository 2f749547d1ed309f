//! The floors: the same pages fetched and nothing else, the same rows copied and nothing else.

mod copy;
mod fetch;

use clap::{Parser, Subcommand};

/// Measures what nothing that fetches pages and stores their records can do without.
#[derive(Parser)]
#[command(name = "floor")]
struct Arguments {
    #[command(subcommand)]
    floor: Floor,
    /// The GraphQL endpoint of a bulk server
    #[arg(
        long,
        global = true,
        default_value = "http://127.0.0.1:8000/graphql/private/"
    )]
    endpoint: String,
    /// Records asked for at once
    #[arg(long, global = true, default_value_t = 100)]
    page: usize,
}

#[derive(Subcommand)]
enum Floor {
    /// Follows the cursors from the first page to the last
    Fetch,
    /// Holds all records in memory, then copies them into a plain table
    Copy {
        /// The database
        #[arg(long)]
        database: String,
        /// Rows per COPY
        #[arg(long, default_value_t = 10_000)]
        batch: usize,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a TLS provider is installed already"))?;
    let pages = fetch::Pages::new(arguments.endpoint, arguments.page)?;
    let (records, seconds) = match arguments.floor {
        Floor::Fetch => pages.fetch_all().await?,
        Floor::Copy { database, batch } => copy::copy(&pages, &database, batch).await?,
    };
    println!("{records} {seconds:.3}");
    Ok(())
}
