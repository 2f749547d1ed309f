//! What is on now, and whom it hits.

use serde_json::{Value, json};

use super::{FaultName, FaultSpec, drift};

/// The switches that are on.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    active: Vec<(FaultSpec, u64)>,
}

impl Switchboard {
    /// Turns a switch on, in place of an earlier setting of the same switch for the same requests.
    pub(crate) fn set(&mut self, spec: FaultSpec) {
        if !spec.name.is_repeatable() {
            self.active
                .retain(|(own, _)| own.name != spec.name || own.operation != spec.operation);
        }
        self.active.push((spec, 0));
    }

    /// Turns off one switch, or all.
    pub(crate) fn clear(&mut self, name: Option<FaultName>) {
        self.active
            .retain(|(own, _)| name.is_some_and(|name| own.name != name));
    }

    /// Takes back one setting.
    pub(crate) fn remove(&mut self, spec: &FaultSpec) {
        self.active.retain(|(own, _)| own != spec);
    }

    /// The value of a switch if it hits this request, counting the hit.
    pub(crate) fn take(&mut self, name: FaultName, operations: &[String]) -> Option<Value> {
        self.take_all(name, operations).pop()
    }

    /// The values of every setting of a switch that hits this request, counting the hits.
    pub(crate) fn take_all(&mut self, name: FaultName, operations: &[String]) -> Vec<Value> {
        let token = operations.iter().any(|operation| operation == "token");
        let mut values = Vec::new();
        for (spec, hits) in &mut self.active {
            let fits = match &spec.operation {
                Some(operation) => operations.contains(operation),
                None => !token || spec.name.is_about_tokens(),
            };
            if spec.name != name || !fits {
                continue;
            }
            if spec.after > 0 {
                spec.after -= 1;
                continue;
            }
            *hits += 1;
            spec.times = spec.times.map(|times| times.saturating_sub(1));
            values.push(spec.value.clone());
        }
        self.active.retain(|(spec, _)| spec.times != Some(0));
        values
    }

    /// The schema changes that are on.
    pub(crate) fn drift(&self) -> Result<Vec<drift::Drift>, String> {
        self.active
            .iter()
            .filter_map(|(spec, _)| drift::Drift::read(spec))
            .collect()
    }

    /// What is on, and how often each has hit.
    pub(crate) fn describe(&self) -> Value {
        self.active
            .iter()
            .map(|(spec, hits)| {
                let mut value = json!(spec);
                value["hits"] = (*hits).into();
                value
            })
            .collect()
    }
}
