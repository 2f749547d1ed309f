//! Which modules a job runs: those named, or all whose source is configured.

use reconciler::{Definition, Definitions};

use crate::arguments::Arguments;
use crate::config::Config;
use crate::process::UsageError;

/// The modules to run, parents first.
pub fn select_modules<'a>(
    arguments: &Arguments,
    config: &Config,
    definitions: &'a Definitions,
) -> anyhow::Result<Vec<&'a Definition>> {
    for name in &arguments.module {
        config.load_module(name)?;
    }
    let wanted = |definition: &&Definition| match arguments.all {
        true => config.sources.contains_key(&definition.module.source),
        false => arguments
            .module
            .iter()
            .any(|name| name == definition.name()),
    };
    let chosen: Vec<&Definition> = definitions
        .parents_first()
        .into_iter()
        .filter(wanted)
        .collect();
    if chosen.is_empty() {
        let problem = "No source is configured, so there is nothing to run. Add a [sources.NAME] section to concord.toml.";
        return Err(UsageError(problem.to_owned()).into());
    }
    Ok(chosen)
}
