//! The plain reference implementation of conditions, which the flat form must agree with.

use crate::base::{Base, NONE};
use crate::compare::{Condition, Facts, Measure, Test, Words, edits, jaro_winkler};

/// Two records of a base.
#[derive(Debug, Clone, Copy)]
pub struct Plain<'a> {
    /// The base.
    pub base: &'a Base,
    /// The facts about values.
    pub facts: &'a Facts,
    /// One.
    pub one: u32,
    /// The other.
    pub other: u32,
}

impl<'a> Plain<'a> {
    /// Whether a condition holds.
    pub fn holds(&self, condition: &Condition) -> bool {
        match condition {
            Condition::All(list) => list.iter().all(|inner| self.holds(inner)),
            Condition::Any(list) => list.iter().any(|inner| self.holds(inner)),
            Condition::Not(inner) => !self.holds(inner),
            Condition::Holds(test) => self.test(*test),
            Condition::AtLeast(measure, bound) => self
                .measure(*measure, *bound)
                .is_some_and(|value| value >= *bound),
            Condition::AtMost(measure, bound) => self
                .measure(*measure, *bound)
                .is_some_and(|value| value <= *bound),
        }
    }

    fn values(&self, at: usize) -> (&'a [u32], &'a [u32]) {
        (self.base.of(at, self.one), self.base.of(at, self.other))
    }

    fn ones(&self, at: usize) -> Option<(u32, u32)> {
        let (one, other) = (self.base.one(at, self.one), self.base.one(at, self.other));
        (one != NONE && other != NONE).then_some((one, other))
    }

    fn is_equal(&self, at: usize) -> bool {
        let (one, other) = self.values(at);
        one.iter().any(|id| *id != NONE && other.contains(id))
    }

    /// The rarest value of an attribute that they share.
    fn shared(&self, at: usize) -> Option<u32> {
        let (one, other) = self.values(at);
        if let ([one], [other]) = (one, other) {
            return (one == other && *one != NONE).then_some(*one);
        }
        let counts = &self.base.columns[at].counts;
        one.iter()
            .filter(|id| **id != NONE && other.contains(id))
            .min_by_key(|id| (counts[**id as usize], **id))
            .copied()
    }

    fn test(&self, test: Test) -> bool {
        match test {
            Test::Present(at) => self.ones(at).is_some(),
            Test::Absent(at) => {
                self.base.one(at, self.one) == NONE && self.base.one(at, self.other) == NONE
            }
            Test::Equal(at) => self.is_equal(at),
            Test::Differ(at) => self.ones(at).is_some() && !self.is_equal(at),
            Test::Nickname(at) => self.ones(at).is_some_and(|(one, other)| {
                let (one, other) = (self.facts.groups(at, one), self.facts.groups(at, other));
                one.iter().any(|group| other.contains(group))
            }),
            Test::Initial(at) => self
                .texts(at)
                .is_some_and(|(one, other)| initial(one, other) || initial(other, one)),
            Test::Part(at) => self.ones(at).is_some_and(|(one, other)| {
                let words = self.facts.words(at).expect("words");
                let (one, other) = (words.of(one), words.of(other));
                let shared = one.iter().filter(|word| other.contains(word)).count();
                shared > 0 && shared == one.len().min(other.len())
            }),
            Test::Slip(at) => self.best(at, slip).is_some_and(|best| best > 0.0),
            Test::Sound(at) => self.ones(at).is_some_and(|(one, other)| {
                self.facts.sound(at, one) == self.facts.sound(at, other)
            }),
            Test::Swapped(first, second) => {
                self.is_crossed(first, second, self.one, self.other)
                    && self.is_crossed(first, second, self.other, self.one)
            }
            Test::Crossed(first, second) => {
                self.is_crossed(first, second, self.one, self.other)
                    || self.is_crossed(first, second, self.other, self.one)
            }
        }
    }

    /// Whether one record's first attribute equals the other's second.
    fn is_crossed(&self, first: usize, second: usize, one: u32, other: u32) -> bool {
        let (one, other) = (self.base.one(first, one), self.base.one(second, other));
        let (first, second) = (&self.base.columns[first], &self.base.columns[second]);
        one != NONE && other != NONE && first.text(one) == second.text(other)
    }

    fn texts(&self, at: usize) -> Option<(&'a str, &'a str)> {
        let column = &self.base.columns[at];
        self.ones(at)
            .map(|(one, other)| (column.text(one), column.text(other)))
    }

    /// Computes a measure; `bound` is what it is compared with.
    fn measure(&self, measure: Measure, bound: f32) -> Option<f32> {
        match measure {
            Measure::JaroWinkler(at) => self.best(at, jaro_winkler),
            Measure::Edits(at) => self
                .best(at, |one, other| -(edits(one, other, bound as usize) as f32))
                .map(|best| -best),
            Measure::Overlap(at) => {
                let (one, other) = self.ones(at)?;
                let (shared, left_one, left_other) =
                    common(self.facts.words(at).expect("words"), one, other);
                Some(shared / (shared + left_one + left_other))
            }
            Measure::Contained(at) => {
                let (one, other) = self.ones(at)?;
                let (shared, left_one, left_other) =
                    common(self.facts.words(at).expect("words"), one, other);
                Some(shared / (shared + left_one.min(left_other)))
            }
            Measure::Gap(at) => {
                let (one, other) = self.ones(at)?;
                Some((self.facts.number(at, one) - self.facts.number(at, other)).abs() as f32)
            }
            Measure::Share(at) => {
                let (one, other) = self.ones(at)?;
                let (one, other) = (self.facts.number(at, one), self.facts.number(at, other));
                Some(
                    ((one - other).abs() / one.abs().max(other.abs()).max(f64::MIN_POSITIVE))
                        as f32,
                )
            }
            Measure::Length(at) => self
                .texts(at)
                .map(|(one, other)| one.chars().count().min(other.chars().count()) as f32),
            Measure::Others(shared, who) => self.others(shared, who),
        }
    }

    fn best(&self, at: usize, likeness: impl Fn(&str, &str) -> f32) -> Option<f32> {
        let column = &self.base.columns[at];
        let (one, other) = self.values(at);
        let mut best: Option<f32> = None;
        for one in one.iter().filter(|id| **id != NONE) {
            for other in other.iter().filter(|id| **id != NONE) {
                let found = likeness(column.text(*one), column.text(*other));
                best = Some(best.map_or(found, |best| best.max(found)));
            }
        }
        best
    }

    fn others(&self, shared: usize, who: usize) -> Option<f32> {
        let value = self.shared(shared)?;
        let (one, other) = (self.base.one(who, self.one), self.base.one(who, self.other));
        let crowd = self.facts.crowd(shared, who).expect("a crowd").of(value);
        Some(
            crowd
                .iter()
                .filter(|id| **id != one && **id != other)
                .count() as f32,
        )
    }
}

/// 1 for texts that are one letter apart and have the same digits.
fn slip(one: &str, other: &str) -> f32 {
    let digits = |text: &'_ str| {
        text.bytes()
            .filter(u8::is_ascii_digit)
            .fold((0_u64, 0_u32), |(sum, count), digit| {
                (
                    sum.wrapping_mul(10).wrapping_add(u64::from(digit)),
                    count + 1,
                )
            })
    };
    let is_slip =
        one.len().min(other.len()) > 3 && digits(one) == digits(other) && edits(one, other, 1) <= 1;
    f32::from(u8::from(is_slip))
}

/// Whether the first is the initial of the second, or the initials of its words.
fn initial(short: &str, long: &str) -> bool {
    let letters = short.chars().count();
    let Some(first) = short.chars().next() else {
        return false;
    };
    match letters {
        1 => long.starts_with(first),
        2 | 3 => short
            .chars()
            .eq(long.split(' ').filter_map(|word| word.chars().next())),
        _ => false,
    }
}

/// The weight of the shared words, and of those that only one value has; words one typo apart count as
/// shared.
fn common(words: &Words, one: u32, other: u32) -> (f32, f32, f32) {
    let (one, other) = (words.of(one), words.of(other));
    let weight = |word: u32| words.weights[word as usize];
    let (mut shared, mut left_one, mut left_other) = (0.0, 0.0, 0.0);
    let alike = |word: u32, list: &[u32]| {
        let text = &words.text[word as usize];
        list.iter().any(|there| {
            let there = &words.text[*there as usize];
            let short = text.len().min(there.len());
            short > 3 && text.len().abs_diff(there.len()) <= 1 && edits(text, there, 1) <= 1
                || short > 2 && (text.starts_with(&**there) || there.starts_with(&**text))
        })
    };
    for word in one {
        if other.contains(word) {
            shared += weight(*word);
        } else if alike(*word, other) {
            shared += 0.45 * weight(*word);
        } else {
            left_one += weight(*word);
        }
    }
    for word in other.iter().filter(|word| !one.contains(word)) {
        if alike(*word, one) {
            shared += 0.45 * weight(*word);
        } else {
            left_other += weight(*word);
        }
    }
    (shared, left_one, left_other)
}
