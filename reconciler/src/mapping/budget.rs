//! What an expression may spend on one record. A step is one element of a loop, one call or one node of a
//! result; running out cannot be caught by `try`. Steps are counted instead of seconds, so that the outcome
//! does not depend on the load of the machine. Work inside one native filter (`sort`, a regular expression)
//! is not counted; the size of its input bounds it.

use jaq_json::Val;
use std::cell::Cell;

/// Steps that all expressions of a mapping may take together on one record.
const STEPS: u64 = 200_000;

/// Deeper JSON than this is refused; no API nests its records so far.
pub(super) const DEEPEST: usize = 128;

/// What is left for one record.
pub(super) struct Budget {
    steps: Cell<u64>,
    turns: Cell<u64>,
}

/// A value that loops build is measured every so many turns.
const TURNS: u64 = 8;

/// The most nodes a loop's value may have.
const LARGEST: u64 = 100_000;

impl Budget {
    /// The budget of one record.
    pub(super) fn new() -> Self {
        Self {
            steps: Cell::new(STEPS),
            turns: Cell::new(0),
        }
    }

    /// Takes steps from what is left; false once there are too few.
    pub(super) fn spend(&self, count: u64) -> bool {
        let left = self.steps.get().checked_sub(count);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// One turn of a loop over `value`; false where it was the last one allowed.
    /// Without the measure a loop could nest a list in itself so deep that freeing it overflows the stack,
    /// or share it so often that comparing it takes for ever.
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

/// Whether the value is of moderate size; every node of it is a step.
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
