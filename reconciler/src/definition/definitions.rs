//! All modules together: parents first, one survivorship per table, no reference to an unknown module.

use std::collections::BTreeMap;

use fetcher::Module;
use staging::Derivation;

use super::compile::Definition;
use super::error::{DefinitionError, line_of};
use super::{order, surviving};
use crate::local_day::zone_named;

/// All compiled modules.
pub struct Definitions {
    by_name: BTreeMap<String, Definition>,
    order: Vec<String>,
}

impl Definitions {
    /// Compiles the modules; `zone` is the IANA name of the account's time zone.
    pub fn compile(modules: &[Module], zone: &str) -> Result<Self, DefinitionError> {
        let zone = zone_named(zone).map_err(|e| DefinitionError {
            file: "concord.toml".into(),
            line: 1,
            problem: e.to_string(),
            remedy: "Use an IANA name such as America/Montreal.".into(),
        })?;
        let mut by_name = BTreeMap::new();
        for module in modules {
            by_name.insert(module.name.clone(), Definition::compile(module, &zone)?);
        }
        surviving::settle(&mut by_name)?;
        let order = order::parents_first(&by_name);
        let definitions = Self { by_name, order };
        definitions.check_neighbours()?;
        Ok(definitions)
    }

    /// The module of that name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.by_name.get(name)
    }

    /// All modules, parents before children.
    pub fn parents_first(&self) -> Vec<&Definition> {
        self.order.iter().map(|name| &self.by_name[name]).collect()
    }

    /// The derivations of all modules.
    pub fn derivations(&self) -> Vec<Derivation> {
        self.by_name
            .values()
            .filter_map(Definition::derivation)
            .collect()
    }

    fn check_neighbours(&self) -> Result<(), DefinitionError> {
        for definition in self.by_name.values() {
            let references = definition
                .spec
                .references
                .iter()
                .map(|(column, r)| (column.as_str(), &r.to));
            for (place, to) in
                references.chain(definition.spec.derive.iter().map(|d| ("derive", &d.from)))
            {
                if !self.by_name.contains_key(to) {
                    return Err(DefinitionError {
                        file: format!("{}/module.yaml", definition.module.folder.display()),
                        line: line_of(&definition.module.yaml, &["reconcile", "references", place]),
                        problem: format!("`{place}` names the module `{to}`, which is not loaded"),
                        remedy:
                            "Correct the name, or give the folder that holds it with --modules."
                                .into(),
                    });
                }
            }
        }
        Ok(())
    }
}
