//! `concord source login`.

use std::time::Duration;

use anyhow::Context;
use fetcher::{AuthKind, await_callback, exchange_code, start_authorization};
use serde_json::json;
use tokio::net::TcpListener;

use crate::commands::Answer;
use crate::config::Config;
use crate::process::UsageError;

/// Which source, and how the browser returns.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The source's name, as in `[sources.NAME]`.
    name: String,
    /// The loopback port the browser comes back to, where the source insists on one; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many seconds to wait for the browser.
    #[arg(long, default_value_t = 300)]
    wait: u64,
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let source = config.source(&args.name)?;
    if source.auth.kind != AuthKind::Oauth2Refresh {
        let why = format!(
            "`{}` does not log in by a person's grant: its `auth.kind` is not `oauth2_refresh`. There is nothing to log in to.",
            args.name
        );
        return Err(UsageError(why).into());
    }
    let store = config.token_store()?;
    let listener = TcpListener::bind(("127.0.0.1", args.port))
        .await
        .with_context(|| format!("Port {} is taken. Choose another with --port.", args.port))?;
    let redirect = format!(
        "http://127.0.0.1:{}/callback",
        listener.local_addr()?.port()
    );
    let authorization = start_authorization(&args.name, source, &redirect)?;
    eprintln!(
        "Open this address in a browser on this machine and grant access:\n\n  {}\n",
        authorization.url
    );
    let code = await_callback(&listener, &authorization, Duration::from_secs(args.wait)).await?;
    exchange_code(&args.name, source, &store, authorization, &code).await?;
    let text = format!(
        "Logged in to {}. The tokens are kept encrypted in the data directory; `concord source test {}` tries them.",
        args.name, args.name
    );
    Answer::new(text, &json!({ "source": args.name, "logged_in": true }))
}
