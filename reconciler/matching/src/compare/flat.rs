//! Conditions in flat form: bits of a pair are tested first, measures last, and each measure is computed once
//! per pair.

use super::condition::{Condition, Test};
use super::named::{Bits, Named, listed};
use super::pair::Pair;

/// A condition whose parts must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flat {
    wanted: Bits,
    barred: Bits,
    /// The parts that bits cannot decide, cheapest first.
    rest: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Test(Test),
    AtLeast(usize, f32),
    AtMost(usize, f32),
    Any(Vec<Flat>),
    Not(Flat),
}

impl Flat {
    /// Compiles a condition to flat form.
    pub fn of(condition: &Condition, named: &mut Named) -> Self {
        let mut flat = Self::default();
        flat.add(condition, named);
        flat.rest.sort_by_key(Step::cost);
        flat
    }

    fn add(&mut self, condition: &Condition, named: &mut Named) {
        match condition {
            Condition::All(list) => list.iter().for_each(|inner| self.add(inner, named)),
            Condition::Any(list) => {
                let mut list: Vec<Self> = list.iter().map(|inner| Self::of(inner, named)).collect();
                list.sort_by_key(Self::cost);
                self.rest.push(Step::Any(list));
            }
            Condition::Not(inner) => self.add_barred(inner, named),
            Condition::Holds(test) => self.add_test(*test, named),
            Condition::AtLeast(measure, bound) => {
                let needed = named.needed(*measure);
                self.wanted.add(needed);
                let place = named.measure(*measure, *bound);
                self.rest.push(Step::AtLeast(place, *bound));
            }
            Condition::AtMost(measure, bound) => {
                let needed = named.needed(*measure);
                self.wanted.add(needed);
                let place = named.measure(*measure, *bound);
                self.rest.push(Step::AtMost(place, *bound));
            }
        }
    }

    fn add_barred(&mut self, condition: &Condition, named: &mut Named) {
        if let Condition::Not(inner) = condition {
            return self.add(inner, named);
        }
        let inner = Self::of(condition, named);
        let bits = inner.wanted.both.count_ones()
            + inner.wanted.neither.count_ones()
            + inner.wanted.equal.count_ones();
        // The negation of a single bit is a barred bit.
        if bits == 1 && inner.barred.is_empty() && inner.rest.is_empty() {
            self.barred.add(inner.wanted);
        } else {
            self.rest.push(Step::Not(inner));
        }
    }

    fn add_test(&mut self, test: Test, named: &mut Named) {
        match test {
            Test::Present(at) => self.wanted.both |= named.bit(at),
            Test::Absent(at) => self.wanted.neither |= named.bit(at),
            Test::Equal(at) => self.wanted.equal |= named.bit(at),
            Test::Differ(at) => {
                self.wanted.both |= named.bit(at);
                self.barred.equal |= named.bit(at);
            }
            Test::Nickname(at)
            | Test::Initial(at)
            | Test::Part(at)
            | Test::Slip(at)
            | Test::Sound(at) => {
                if let Test::Initial(_) | Test::Part(_) | Test::Slip(_) = test {
                    listed(&mut named.texts, at);
                }
                self.wanted.both |= named.bit(at);
                self.rest.push(Step::Test(test));
            }
            Test::Swapped(first, second) => {
                self.wanted.both |= named.bit(first) | named.bit(second);
                self.rest.push(Step::Test(test));
            }
            Test::Crossed(..) => self.rest.push(Step::Test(test)),
        }
    }

    /// Whether it holds for a pair.
    pub fn holds(&self, pair: &mut Pair) -> bool {
        pair.bits.holds_all(self.wanted)
            && !pair.bits.holds_one(self.barred)
            && self.rest.iter().all(|step| step.holds(pair))
    }

    fn cost(&self) -> u32 {
        self.rest.iter().map(Step::cost).sum()
    }
}

impl Step {
    fn holds(&self, pair: &mut Pair) -> bool {
        match self {
            Self::Test(test) => pair.test(*test),
            Self::AtLeast(measure, bound) => pair.at_least(*measure, *bound),
            Self::AtMost(measure, bound) => pair.at_most(*measure, *bound),
            Self::Any(list) => list.iter().any(|flat| flat.holds(pair)),
            Self::Not(flat) => !flat.holds(pair),
        }
    }

    /// Its approximate cost.
    fn cost(&self) -> u32 {
        match self {
            Self::Test(Test::Swapped(..) | Test::Crossed(..) | Test::Initial(_)) => 1,
            Self::Test(_) => 2,
            Self::AtLeast(..) | Self::AtMost(..) => 3,
            Self::Any(list) => 1 + list.iter().map(Flat::cost).sum::<u32>(),
            Self::Not(flat) => flat.cost(),
        }
    }
}
