//! A host's share of a source's limits, where several hosts ask the same source.

use serde::{Deserialize, Serialize};

/// A share, as an interval of the whole. Requests are whole numbers, and intervals that do not overlap never
/// add up to more requests than the limit, however it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateShare {
    /// Where it begins.
    pub from: u32,
    /// Where it ends, at most [`RateShare::WHOLE`].
    pub to: u32,
}

impl Default for RateShare {
    fn default() -> Self {
        RateShare::ALL
    }
}

impl RateShare {
    /// The size of the whole: any number of hosts up to sixteen divides it.
    pub const WHOLE: u32 = 720_720;
    /// All of it.
    pub const ALL: RateShare = RateShare {
        from: 0,
        to: RateShare::WHOLE,
    };
    /// Nothing of it.
    pub const NONE: RateShare = RateShare { from: 0, to: 0 };

    /// Its size, of [`RateShare::WHOLE`].
    pub fn size(self) -> u32 {
        self.to.saturating_sub(self.from)
    }

    /// Its size as a fraction of 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.size()) / f64::from(RateShare::WHOLE)
    }

    /// How much of a limit, in requests or points, belongs to this share.
    pub(super) fn of(self, limit: f64) -> f64 {
        if self == RateShare::ALL {
            return limit;
        }
        let below = |end: u32| (limit * f64::from(end) / f64::from(RateShare::WHOLE)).floor();
        let whole = below(self.to) - below(self.from);
        match whole >= 1.0 {
            true => whole,
            // Fewer requests than hosts: less than one per window, rather than none.
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
                (u64::from(RateShare::WHOLE) * u64::from(number) / u64::from(hosts)) as u32
            };
            for limit in [20.0, 21.0, 100.0, 5000.0, 86_401.0] {
                let parts = (0..hosts).map(|number| RateShare {
                    from: edge(number),
                    to: edge(number + 1),
                });
                let sum: f64 = parts.map(|part| part.of(limit)).sum();
                assert!((sum - limit).abs() < 1e-9, "{limit} by {hosts}: {sum}");
            }
        }
        assert_eq!(
            (RateShare::ALL.of(2.5), RateShare::NONE.of(9.0)),
            (2.5, 0.0)
        );
    }
}
