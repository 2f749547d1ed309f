//! Fetching server programs from the network, for a machine that has none.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgresql_embedded::{PostgreSQL, Settings, VersionReq};

const RELEASES: &str = "https://github.com/theseus-rs/postgresql-binaries";
const VERSION: &str = "^17";
const LIMIT: Duration = Duration::from_secs(300);

/// Downloads PostgreSQL below `into` and returns its folder of programs.
pub(super) async fn server(
    into: &Path,
) -> Result<PathBuf, Box<dyn std::error::Error + Send + Sync>> {
    tracing::info!("No PostgreSQL server was found on this machine; downloading one.");
    // `setup` makes a cluster of its own unless it believes to see one. Ours is made elsewhere, under
    // the right account, so an empty configuration file stands in for it.
    let scratch = into.join("scratch");
    fs::create_dir_all(&scratch)?;
    fs::write(scratch.join("postgresql.conf"), "")?;
    let settings = Settings {
        releases_url: RELEASES.to_owned(),
        version: VersionReq::parse(VERSION)?,
        installation_dir: into.to_owned(),
        password_file: scratch.join("password"),
        data_dir: scratch.clone(),
        host: "127.0.0.1".to_owned(),
        port: 0,
        username: String::new(),
        password: String::new(),
        temporary: false,
        timeout: None,
        configuration: HashMap::new(),
        trust_installation_dir: false,
        socket_dir: None,
    };
    let mut server = PostgreSQL::new(settings);
    tokio::time::timeout(LIMIT, server.setup()).await??;
    fs::remove_dir_all(scratch)?;
    Ok(server.settings().binary_dir())
}
