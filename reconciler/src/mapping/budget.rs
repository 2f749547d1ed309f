//! What an expression may spend on one record. A step is one element of a loop, one call or one node of a
//! result; running out cannot be caught by `try`. Steps are counted instead of seconds, so that the outcome
//! does not depend on the load of the machine. Work inside one native filter (`sort`, a regular expression)
//! is not counted; the size of its input bounds it.

use jaq_json::Val;
use std::cell::Cell;

/// Steps that all expressions of a mapping may take together on one record.
const STEPS: u64 = 200_000;

/// Deeper JSON than this is rejected; no API nests its records so deep.
pub(super) const DEEPEST: usize = 128;

/// The steps left for one record.
pub(super) struct Budget {
    steps: Cell<u64>,
    turns: Cell<u64>,
}

/// The size of a loop's value is measured once every so many turns.
const TURNS: u64 = 8;

/// The maximum number of nodes in a loop's value.
const LARGEST: u64 = 100_000;

impl Budget {
    /// The budget of one record.
    pub(super) fn new() -> Self {
        Self {
            steps: Cell::new(STEPS),
            turns: Cell::new(0),
        }
    }

    /// Subtracts steps; false if too few are left.
    pub(super) fn spend(&self, count: u64) -> bool {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// Counts one turn of a loop over `value`; false if the budget is used up. Without the size limit a loop
    /// could nest a list so deep that freeing it overflows the stack, or share it so often that comparing it
    /// never ends.
    pub(super) fn turn(&self, value: &Val) -> bool {
        self.turns.set(self.turns.get() + 1);
        if !self.turns.get().is_multiple_of(TURNS) {
            return self.spend(1);
        }
        let nodes = Self {
            steps: Cell::new(LARGEST),
            turns: Cell::new(0),
        };
        fits(value, &nodes) && self.spend(1 + (LARGEST - nodes.steps.get()) / 64)
    }
}

/// Whether the value is within the size limits; every node costs a step.
pub(super) fn fits(value: &Val, budget: &Budget) -> bool {
    fits_below(value, budget, DEEPEST)
}

fn fits_below(value: &Val, budget: &Budget, levels: usize) -> bool {
    budget.spend(1)
        && match value {
            Val::Arr(items) => {
                levels > 0
                    && items
                        .iter()
                        .all(|item| fits_below(item, budget, levels - 1))
            }
            Val::Obj(fields) => {
                levels > 0
                    && fields.iter().all(|(key, value)| {
                        fits_below(key, budget, levels - 1) && fits_below(value, budget, levels - 1)
                    })
            }
            _ => true,
        }
}
