//! What people decided about a module's records, for its model to learn from.

use anyhow::Context;
use matching::train::Decided;

use super::reading;
use crate::config::Config;

/// The decisions of people that stand.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// The module they are about; none where the specification is of no module, or they were not asked for.
    pub(super) module: Option<String>,
    /// Those with what was shown of the pair.
    pub(super) shown: Vec<Decided>,
    /// How many there are of which nothing was shown.
    pub(super) unseen: usize,
}

/// The decisions about the records of the module in whose folder this very specification stands.
pub(super) async fn of_spec(text: &str, config: &Config) -> anyhow::Result<Decisions> {
    let modules = config.load_modules()?;
    let holds = |module: &&fetcher::Module| module.files.values().any(|file| **file == *text);
    let Some(module) = modules.iter().find(holds) else {
        return Ok(Decisions::default());
    };
    let found = reading(config, async |tx| {
        Ok(reconciler::entity_resolution::decided(tx, &module.name).await?)
    })
    .await
    .context("What people decided cannot be read; `--without-decisions` trains without it.")?;
    let mut decisions = Decisions {
        module: Some(module.name.clone()),
        ..Decisions::default()
    };
    for (is_match, evidence) in found {
        match evidence.and_then(|evidence| serde_json::from_value(evidence).ok()) {
            Some(evidence) => decisions.shown.push(Decided { evidence, is_match }),
            None => decisions.unseen += 1,
        }
    }
    Ok(decisions)
}
