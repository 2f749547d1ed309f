//! Conditions in flat form: what a few bits of a pair settle is asked first, measures last, each measure once
//! per pair.

use super::condition::{Condition, Measure, Test};
use super::pair::Pair;
use crate::profile::Layout;

/// What is known of a pair before any text is read: one bit per attribute that conditions name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits {
    /// Both have it.
    pub both: u64,
    /// Neither has it.
    pub neither: u64,
    /// They share a value of it.
    pub equal: u64,
}

impl Bits {
    fn holds_all(self, wanted: Self) -> bool {
        self.both & wanted.both == wanted.both
            && self.neither & wanted.neither == wanted.neither
            && self.equal & wanted.equal == wanted.equal
    }

    fn holds_one(self, barred: Self) -> bool {
        (self.both & barred.both) | (self.neither & barred.neither) | (self.equal & barred.equal)
            != 0
    }

    fn add(&mut self, other: Self) {
        self.both |= other.both;
        self.neither |= other.neither;
        self.equal |= other.equal;
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// A condition all parts of which must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flat {
    wanted: Bits,
    barred: Bits,
    /// What bits do not settle, cheapest first.
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

/// The attributes and measures that conditions name, each once.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// The attributes; their places are the bits of a pair.
    pub attributes: Vec<usize>,
    /// Where the values of these begin in a record's row, and how many they are.
    pub places: Vec<(usize, usize)>,
    /// The attributes whose texts are compared.
    pub texts: Vec<usize>,
    /// The attributes whose words or numbers are.
    pub facts: Vec<usize>,
    /// The measures, with the greatest number each is held against.
    pub measures: Vec<(Measure, f32)>,
}

impl Named {
    /// Looks up where the attributes stand, once all conditions are known.
    pub fn settle(&mut self, layout: &Layout) {
        let attributes = self.attributes.iter();
        self.places = attributes.map(|at| layout.place_of(*at)).collect();
    }

    fn bit(&mut self, attribute: usize) -> u64 {
        let known = self.attributes.iter().position(|at| *at == attribute);
        let place = known.unwrap_or_else(|| {
            self.attributes.push(attribute);
            self.attributes.len() - 1
        });
        // More than 64 are refused when the conditions are compiled.
        1_u64.checked_shl(place as u32).unwrap_or_default()
    }

    fn measure(&mut self, measure: Measure, bound: f32) -> usize {
        let known = self.measures.iter().position(|(of, _)| *of == measure);
        let place = known.unwrap_or_else(|| {
            self.measures.push((measure, bound));
            self.measures.len() - 1
        });
        self.measures[place].1 = self.measures[place].1.max(bound);
        place
    }

    /// The bits without which a measure has no value.
    fn needed(&mut self, measure: Measure) -> Bits {
        match measure {
            Measure::JaroWinkler(at) | Measure::Edits(at) | Measure::Length(at) => {
                listed(&mut self.texts, at);
                self.both(at)
            }
            Measure::Overlap(at)
            | Measure::Contained(at)
            | Measure::Gap(at)
            | Measure::Share(at) => {
                listed(&mut self.facts, at);
                self.both(at)
            }
            Measure::Others(shared, _) => Bits {
                equal: self.bit(shared),
                ..Bits::default()
            },
        }
    }

    fn both(&mut self, attribute: usize) -> Bits {
        Bits {
            both: self.bit(attribute),
            ..Bits::default()
        }
    }
}

fn listed(list: &mut Vec<usize>, attribute: usize) {
    if !list.contains(&attribute) {
        list.push(attribute);
    }
}

impl Flat {
    /// Brings a condition into flat form.
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
        // One bit alone is barred as it is.
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

    /// About how much work it is.
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
