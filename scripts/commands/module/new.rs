//! `concord module new`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use fetcher::{introspect, scaffold};
use serde_json::json;

use super::check;
use crate::commands::Answer;
use crate::commands::source::opened_once;
use crate::config::Config;
use crate::process::UsageError;

/// Which stream of which source, and where to write its folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The module's name: what the source calls the stream, in lower case, such as `clients`.
    name: String,
    /// The source it reads, as in `[sources.NAME]`.
    #[arg(long)]
    source: String,
    /// The folder that takes the module's folder.
    #[arg(long, default_value = "modules")]
    dir: PathBuf,
}

pub async fn run(args: Args, config: &Config) -> anyhow::Result<Answer> {
    let Args { name, source, dir } = args;
    require_plain(&name)?;
    let folder = dir.join(&name);
    if folder.exists() {
        let why = format!(
            "{} is already there. Choose another name or --dir, or remove it.",
            folder.display()
        );
        return Err(UsageError(why).into());
    }
    let sdl = introspect(&opened_once(config, &source)?).await?;
    let files = scaffold(&name, &source, &sdl)?;
    let failed = || {
        format!(
            "{} cannot be written. Check its rights, or choose another --dir.",
            folder.display()
        )
    };
    fs::create_dir_all(&folder).with_context(failed)?;
    for (file, text) in &files {
        fs::write(folder.join(file), text).with_context(failed)?;
    }
    let place = folder.display().to_string();
    let checked = check::run(
        check::Args {
            module: place.clone(),
            source_schema: None,
        },
        config,
    )
    .await?;
    let names: Vec<&String> = files.keys().collect();
    let json = json!({ "module": name, "source": source, "folder": place, "files": names });
    let mut text = format!(
        "{place} holds {}.\n",
        names
            .iter()
            .map(|name| name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    );
    if !is_configured(&dir, config) {
        text.push_str(&format!(
            "Add `modules = [\"{}\"]` to concord.toml, or give --modules {}.\n",
            dir.display(),
            dir.display()
        ));
    }
    text.push_str(&format!("Look at it with `concord module preview {place}`, and correct what it means in contract.yaml.\n"));
    Ok(checked.preceded_by(text, json))
}

/// The name becomes a folder, so it must not be a path.
fn require_plain(name: &str) -> Result<(), UsageError> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 48
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    match plain {
        true => Ok(()),
        false => Err(UsageError(format!(
            "`{name}` is not a name for a module. Use lower-case letters, digits and `_`, starting with a letter, 48 at most."
        ))),
    }
}

fn is_configured(dir: &Path, config: &Config) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    config
        .modules
        .iter()
        .any(|known| known == dir || (real(known).is_some() && real(known) == real(dir)))
}
