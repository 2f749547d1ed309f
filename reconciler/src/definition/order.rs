//! Parents before children, so that a first run parks as little as can be.

use std::collections::{BTreeMap, BTreeSet};

use super::Definition;

/// The names of all modules, each after those it refers to or derives from. Members of a cycle follow in
/// order of their names: parking links them in the end.
pub(super) fn parents_first(all: &BTreeMap<String, Definition>) -> Vec<String> {
    let mut order = Vec::with_capacity(all.len());
    let mut waiting: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    while let Some(&first) = waiting.first() {
        let ready = waiting
            .iter()
            .copied()
            .find(|name| parents(&all[*name]).all(|p| !waiting.contains(p)));
        let next = ready.unwrap_or(first);
        waiting.remove(next);
        order.push(next.to_owned());
    }
    order
}

fn parents(definition: &Definition) -> impl Iterator<Item = &str> {
    let own = definition.name();
    let derived = definition
        .spec
        .derive
        .iter()
        .map(|derive| derive.from.as_str());
    definition
        .spec
        .references
        .values()
        .map(|r| r.to.as_str())
        .chain(derived)
        .filter(move |p| *p != own)
}
