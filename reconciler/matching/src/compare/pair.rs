//! Tests and measures of a pair of records.

use super::condition::{Measure, Test};
use super::facts::{Facts, Words};
use super::kernel::{at_most, edits, jaro_winkler};
use super::named::{Bits, Named};
use crate::base::{BLANK, Base, Brief, DIGITS, FOREIGN, NONE};

/// The number of measures cached per pair.
const KEPT: usize = 32;

/// Two records of a base, with the cached measures of the pair.
#[derive(Debug)]
pub struct Pair<'a> {
    base: &'a Base,
    facts: &'a Facts,
    named: &'a Named,
    one: &'a [u32],
    other: &'a [u32],
    /// Facts that need no text.
    pub bits: Bits,
    measured: [f32; KEPT],
    is_measured: u32,
}

impl<'a> Pair<'a> {
    /// Makes a pair of two records.
    pub fn new(base: &'a Base, facts: &'a Facts, named: &'a Named, one: u32, other: u32) -> Self {
        let (one, other) = (base.row(one), base.row(other));
        let mut bits = Bits::default();
        for (place, (offset, width)) in named.places.iter().enumerate() {
            let (a, b) = (one[*offset], other[*offset]);
            let mut is_equal = a == b && a != NONE;
            if *width > 1 && !is_equal {
                is_equal = shared(values(*width, *offset, one, other)).is_some();
            }
            bits.both |= u64::from(a != NONE && b != NONE) << place;
            bits.neither |= u64::from(a | b == NONE) << place;
            bits.equal |= u64::from(is_equal) << place;
        }
        Self {
            base,
            facts,
            named,
            one,
            other,
            bits,
            measured: [0.0; KEPT],
            is_measured: 0,
        }
    }

    fn values(&self, at: usize) -> (&'a [u32], &'a [u32]) {
        let column = &self.base.columns[at];
        values(column.width, column.offset, self.one, self.other)
    }

    fn ones(&self, at: usize) -> Option<(u32, u32)> {
        let offset = self.base.columns[at].offset;
        let (one, other) = (self.one[offset], self.other[offset]);
        (one != NONE && other != NONE).then_some((one, other))
    }

    fn briefs(&self, at: usize) -> Option<(Brief, Brief)> {
        let column = &self.base.columns[at];
        self.ones(at)
            .map(|(one, other)| (column.brief(one), column.brief(other)))
    }

    fn texts(&self, at: usize) -> Option<(&'a str, &'a str)> {
        let column = &self.base.columns[at];
        self.ones(at)
            .map(|(one, other)| (column.text(one), column.text(other)))
    }

    /// The rarest value of an attribute that they share.
    pub fn shared(&self, at: usize) -> Option<u32> {
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

    /// The rarer of their values of an attribute.
    pub fn rarer(&self, at: usize) -> Option<u32> {
        let counts = &self.base.columns[at].counts;
        let (one, other) = self.ones(at)?;
        Some(if counts[one as usize] <= counts[other as usize] {
            one
        } else {
            other
        })
    }

    /// Whether a test holds that the bits cannot decide.
    pub fn test(&self, test: Test) -> bool {
        match test {
            Test::Present(at) => self.ones(at).is_some(),
            Test::Absent(at) => {
                let offset = self.base.columns[at].offset;
                self.one[offset] == NONE && self.other[offset] == NONE
            }
            Test::Equal(at) => shared(self.values(at)).is_some(),
            Test::Differ(at) => self.ones(at).is_some() && shared(self.values(at)).is_none(),
            Test::Nickname(at) => self.ones(at).is_some_and(|(one, other)| {
                let (one, other) = (self.facts.groups(at, one), self.facts.groups(at, other));
                one.iter().any(|group| other.contains(group))
            }),
            Test::Initial(at) => self.is_initial(at),
            Test::Part(at) => self.is_part(at),
            Test::Slip(at) => self.is_slip(at),
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

    fn is_initial(&self, at: usize) -> bool {
        let Some((one, other)) = self.briefs(at) else {
            return false;
        };
        // Initials have at most three letters.
        let short =
            (one.symbols | other.symbols) & FOREIGN != 0 || one.length.min(other.length) < 4;
        short
            && self
                .texts(at)
                .is_some_and(|(one, other)| initial(one, other) || initial(other, one))
    }

    fn is_part(&self, at: usize) -> bool {
        let (Some((one, other)), Some(words)) = (self.ones(at), self.facts.words(at)) else {
            return false;
        };
        let column = &self.base.columns[at];
        if (column.brief(one).symbols | column.brief(other).symbols) & BLANK == 0 {
            return one == other;
        }
        let (one, other) = (words.of(one), words.of(other));
        let shared = one.iter().filter(|word| other.contains(word)).count();
        shared > 0 && shared == one.len().min(other.len())
    }

    fn is_slip(&self, at: usize) -> bool {
        let column = &self.base.columns[at];
        self.each(at, |one, other| {
            let (first, second) = (column.brief(one), column.brief(other));
            if first.length.min(second.length) < 4 {
                return false;
            }
            let changed = first.symbols ^ second.symbols;
            one == other
                || changed & DIGITS == 0
                    && may_be_within(1, first, second)
                    && slip(column.text(one), column.text(other))
        })
    }

    /// Whether a predicate holds for any two of their values.
    fn each(&self, at: usize, mut holds: impl FnMut(u32, u32) -> bool) -> bool {
        let (one, other) = self.values(at);
        let known = |ids: &'a [u32]| ids.iter().copied().filter(|id| *id != NONE);
        known(one).any(|one| known(other).any(|other| holds(one, other)))
    }

    /// Whether one record's first attribute equals the other's second.
    fn is_crossed(&self, first: usize, second: usize, one: &[u32], other: &[u32]) -> bool {
        let (first, second) = (&self.base.columns[first], &self.base.columns[second]);
        let (one, other) = (one[first.offset], other[second.offset]);
        if one == NONE || other == NONE {
            return false;
        }
        let (a, b) = (first.brief(one), second.brief(other));
        a.symbols == b.symbols && a.length == b.length && first.text(one) == second.text(other)
    }

    /// Whether a measure is at least a bound.
    pub fn at_least(&mut self, place: usize, bound: f32) -> bool {
        if let (Measure::JaroWinkler(at), _) = self.named.measures[place]
            && self.is_measured >> place.min(KEPT - 1) & 1 == 0
            && !self.may_be_like(at, bound)
        {
            return false;
        }
        self.measure(place) >= bound
    }

    /// Whether a measure is at most a bound.
    pub fn at_most(&mut self, place: usize, bound: f32) -> bool {
        self.measure(place) <= bound
    }

    /// A measure by its number; NaN if it has no value.
    fn measure(&mut self, place: usize) -> f32 {
        if place < KEPT && self.is_measured >> place & 1 == 1 {
            return self.measured[place];
        }
        let (measure, bound) = self.named.measures[place];
        let value = self.measured(measure, bound).unwrap_or(f32::NAN);
        if place < KEPT {
            self.measured[place] = value;
            self.is_measured |= 1 << place;
        }
        value
    }

    /// Computes a measure; `bound` is the greatest bound it is compared with.
    fn measured(&self, measure: Measure, bound: f32) -> Option<f32> {
        match measure {
            Measure::JaroWinkler(at) => self.likest(at),
            Measure::Edits(at) => self.fewest_edits(at, bound as usize),
            Measure::Overlap(at) => {
                let (one, other) = self.ones(at)?;
                let (shared, left_one, left_other) = common(self.facts.words(at)?, one, other);
                Some(shared / (shared + left_one + left_other))
            }
            Measure::Contained(at) => {
                let (one, other) = self.ones(at)?;
                let (shared, left_one, left_other) = common(self.facts.words(at)?, one, other);
                Some(shared / (shared + left_one.min(left_other)))
            }
            Measure::Gap(at) => {
                let (one, other) = self.ones(at)?;
                Some((self.facts.number(at, one) - self.facts.number(at, other)).abs() as f32)
            }
            Measure::Share(at) => {
                let (one, other) = self.ones(at)?;
                let (one, other) = (self.facts.number(at, one), self.facts.number(at, other));
                let most = one.abs().max(other.abs()).max(f64::MIN_POSITIVE);
                Some(((one - other).abs() / most) as f32)
            }
            Measure::Length(at) => {
                let (one, other) = self.briefs(at)?;
                if (one.symbols | other.symbols) & FOREIGN == 0 {
                    return Some(one.length.min(other.length) as f32);
                }
                let (one, other) = self.texts(at)?;
                Some(one.chars().count().min(other.chars().count()) as f32)
            }
            Measure::Others(shared, who) => {
                let value = self.shared(shared)?;
                let offset = self.base.columns[who].offset;
                let own = [self.one[offset], self.other[offset]];
                let crowd = self.facts.crowd(shared, who)?.of(value);
                Some(crowd.iter().filter(|id| !own.contains(id)).count() as f32)
            }
        }
    }

    fn likest(&self, at: usize) -> Option<f32> {
        let column = &self.base.columns[at];
        let mut best: Option<f32> = None;
        self.each(at, |one, other| {
            let found = if one == other {
                1.0
            } else {
                jaro_winkler(column.text(one), column.text(other))
            };
            best = Some(best.map_or(found, |best| best.max(found)));
            false
        });
        best
    }

    fn fewest_edits(&self, at: usize, most: usize) -> Option<f32> {
        let column = &self.base.columns[at];
        let mut best: Option<usize> = None;
        self.each(at, |one, other| {
            let found = if one == other {
                0
            } else if may_be_within(most, column.brief(one), column.brief(other)) {
                edits(column.text(one), column.text(other), most)
            } else {
                most + 1
            };
            best = Some(best.map_or(found, |best| best.min(found)));
            false
        });
        best.map(|best| best as f32)
    }

    /// Whether the Jaro-Winkler similarity can reach a bound, judged by letters alone.
    fn may_be_like(&self, at: usize, bound: f32) -> bool {
        let column = &self.base.columns[at];
        self.each(at, |one, other| {
            let (one, other) = (column.brief(one), column.brief(other));
            at_most([one, other].map(|brief| (brief.symbols, brief.length))) >= bound
        })
    }
}

fn values<'a>(
    width: usize,
    offset: usize,
    one: &'a [u32],
    other: &'a [u32],
) -> (&'a [u32], &'a [u32]) {
    (&one[offset..offset + width], &other[offset..offset + width])
}

fn shared((one, other): (&[u32], &[u32])) -> Option<u32> {
    one.iter()
        .copied()
        .find(|id| *id != NONE && other.contains(id))
}

/// Whether this many edits can turn one text into the other, judged by lengths and letters: one edit removes
/// at most one letter and adds at most one.
fn may_be_within(most: usize, one: Brief, other: Brief) -> bool {
    (one.symbols | other.symbols) & FOREIGN != 0
        || one.length.abs_diff(other.length) as usize <= most
            && (one.symbols ^ other.symbols).count_ones() as usize <= 2 * most
}

/// Whether texts are one letter apart and have the same digits.
fn slip(one: &str, other: &str) -> bool {
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
    digits(one) == digits(other) && edits(one, other, 1) <= 1
}

/// Whether the first is the initial of the second, or the initials of its words.
fn initial(short: &str, long: &str) -> bool {
    let Some(first) = short.chars().next() else {
        return false;
    };
    match short.chars().take(4).count() {
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
    let alike = |word: u32, list: &[u32]| list.iter().any(|there| words.alike(word, *there));
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

impl Words {
    /// Whether two words are one typo apart, or one is a prefix of the other.
    fn alike(&self, one: u32, other: u32) -> bool {
        let (a, b) = (self.symbols[one as usize], self.symbols[other as usize]);
        let is_within = a & !b == 0 || b & !a == 0;
        if (a | b) & FOREIGN == 0 && !is_within && (a ^ b).count_ones() > 2 {
            return false;
        }
        let (one, other) = (&*self.text[one as usize], &*self.text[other as usize]);
        let short = one.len().min(other.len());
        short > 3 && one.len().abs_diff(other.len()) <= 1 && edits(one, other, 1) <= 1
            || short > 2 && (one.starts_with(other) || other.starts_with(one))
    }
}
