//! The part of a source's limits that is a host's own, where several hosts ask the same source.

use serde::{Deserialize, Serialize};

/// A part of the whole, as an interval of it: requests come in whole numbers, and intervals that do not
/// overlap never add up to more of them than the whole permits, whatever the limit is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it begins.
    pub from: u32,
    /// Where it ends, at most [`Part::WHOLE`].
    pub to: u32,
}

impl Default for Part {
    fn default() -> Self {
        Part::ALL
    }
}

impl Part {
    /// The size of the whole: any number of hosts up to sixteen divides it.
    pub const WHOLE: u32 = 720_720;
    /// All of it.
    pub const ALL: Part = Part {
        from: 0,
        to: Part::WHOLE,
    };
    /// Nothing of it.
    pub const NONE: Part = Part { from: 0, to: 0 };

    /// How much it is, of [`Part::WHOLE`].
    pub fn size(self) -> u32 {
        self.to.saturating_sub(self.from)
    }

    /// How much it is, of one.
    pub fn fraction(self) -> f64 {
        f64::from(self.size()) / f64::from(Part::WHOLE)
    }

    /// Of so many requests or points, those that are in this part.
    pub(super) fn of(self, limit: f64) -> f64 {
        if self == Part::ALL {
            return limit;
        }
        let below = |end: u32| (limit * f64::from(end) / f64::from(Part::WHOLE)).floor();
        let whole = below(self.to) - below(self.from);
        match whole >= 1.0 {
            true => whole,
            // Fewer requests than hosts: slower than one in each window, rather than never.
            false => limit * self.fraction(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_limit_is_divided_by_its_parts_add_up_to_it() {
        for hosts in 1..=20 {
            let edge = |number: u32| {
                (u64::from(Part::WHOLE) * u64::from(number) / u64::from(hosts)) as u32
            };
            for limit in [20.0, 21.0, 100.0, 5000.0, 86_401.0] {
                let parts = (0..hosts).map(|number| Part {
                    from: edge(number),
                    to: edge(number + 1),
                });
                let sum: f64 = parts.map(|part| part.of(limit)).sum();
                assert!((sum - limit).abs() < 1e-9, "{limit} by {hosts}: {sum}");
            }
        }
        assert_eq!((Part::ALL.of(2.5), Part::NONE.of(9.0)), (2.5, 0.0));
    }
}
