//! What the modules of one production table say about it together.

use std::collections::BTreeMap;

use crate::definition::{Definition, Definitions, Survivorship};
use crate::ownership::Ownership;

/// The columns of a table, who owns each, and which of several claims wins.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableRules<'d> {
    /// The table.
    pub(crate) entity: &'d str,
    /// The columns of its contracts but `id`, in their order.
    pub(crate) columns: Vec<String>,
    /// What the modules declare, the parents' word first.
    pub(crate) ownership: BTreeMap<String, Ownership>,
    /// Which claims win, where a module declares it.
    pub(crate) survivorship: Option<&'d Survivorship>,
}

impl<'d> TableRules<'d> {
    /// The rules of the table `entity`.
    pub(crate) fn of(definitions: &'d Definitions, entity: &'d str) -> Self {
        let mut rules = Self {
            entity,
            ..Self::default()
        };
        for definition in modules_of(definitions, entity) {
            for column in &definition.contract.columns {
                if column.name != "id" && !rules.columns.contains(&column.name) {
                    rules.columns.push(column.name.clone());
                }
            }
            for (column, spec) in &definition.spec.ownership {
                let ownership = rules.ownership.entry(column.clone());
                ownership.or_insert_with(|| spec.ownership());
            }
            rules.survivorship = rules.survivorship.or(definition.survivorship.as_ref());
        }
        rules
    }

    /// Who may write a column; `merge` where nothing is said.
    pub(crate) fn ownership(&self, column: &str) -> Ownership {
        self.ownership.get(column).copied().unwrap_or_default()
    }
}

/// The modules that fill a table, parents first.
pub(crate) fn modules_of<'d>(
    definitions: &'d Definitions,
    entity: &str,
) -> impl Iterator<Item = &'d Definition> {
    let all = definitions.parents_first().into_iter();
    all.filter(move |definition| definition.entity() == entity)
}
