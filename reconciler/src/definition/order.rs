//! Orders modules so that parents come before children, and a first run parks few records.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Definition;

/// The names of all modules, each after those it refers to or derives from. Modules of a cycle are in order
/// of their names; parked records link up once their parents exist.
pub(super) fn parents_first(all: &BTreeMap<String, Definition>) -> Vec<String> {
    let mut order = Vec::with_capacity(all.len());
    let mut waiting: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    while let Some(&first) = waiting.first() {
        let ready = waiting
            .iter()
            .copied()
            .find(|name| all[*name].parents().all(|p| !waiting.contains(p)));
        let next = ready.unwrap_or(first);
        waiting.remove(next);
        order.push(next.to_owned());
    }
    order
}

impl Definition {
    /// The names of the other modules whose entities or records this one needs.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        let own = self.name();
        let derived = self.spec.derive.iter().map(|derive| derive.from.as_str());
        let references = self.spec.references.values().map(|r| r.to.as_str());
        references.chain(derived).filter(move |p| *p != own)
    }
}
