//! Facts that are computed once per distinct value, so that comparing a pair needs only numbers.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::condition::{Condition, Measure, Test};
use crate::base::{Base, Column, NONE, symbols};
use crate::normalise::{digits, groups_of, sound};

/// Facts about the values of a base's attributes, limited to those that conditions need.
#[derive(Debug, Default)]
pub struct Facts {
    words: Vec<Option<Words>>,
    numbers: Vec<Option<Vec<f64>>>,
    groups: Vec<Option<Vec<&'static [u16]>>>,
    sounds: Vec<Option<Vec<u64>>>,
    crowds: Vec<((usize, usize), Crowd)>,
}

/// The words of values, as sorted numbers.
#[derive(Debug, Default)]
pub struct Words {
    ends: Vec<u32>,
    of: Vec<u32>,
    /// The weight of each word; rare words weigh more.
    pub weights: Vec<f32>,
    /// The words themselves.
    pub text: Vec<Box<str>>,
    /// Their letters as bits.
    pub symbols: Vec<u64>,
}

impl Words {
    fn new(column: &Column, records: u32) -> Self {
        let mut known: FxHashMap<&str, u32> = FxHashMap::default();
        let mut words = Self {
            ends: vec![0],
            ..Self::default()
        };
        let mut counts: Vec<u32> = Vec::new();
        for id in 1..column.len() as u32 {
            let start = words.of.len();
            for word in column.text(id).split(' ') {
                let number = *known.entry(word).or_insert_with(|| {
                    words.text.push(word.into());
                    counts.push(0);
                    counts.len() as u32 - 1
                });
                if !words.of[start..].contains(&number) {
                    words.of.push(number);
                    counts[number as usize] += column.counts[id as usize];
                }
            }
            words.of[start..].sort_unstable();
            words.ends.push(words.of.len() as u32);
        }
        let total = records.max(2) as f32;
        words.weights = counts
            .iter()
            .map(|count| (total / *count as f32).ln() + 0.3)
            .collect();
        words.symbols = words.text.iter().map(|word| symbols(word)).collect();
        words
    }

    /// The words of a value.
    pub fn of(&self, id: u32) -> &[u32] {
        if id == NONE {
            return &[];
        }
        &self.of[self.ends[id as usize - 1] as usize..self.ends[id as usize] as usize]
    }
}

/// For the values of one attribute: the values of another that occur with them.
#[derive(Debug, Default)]
pub struct Crowd {
    ends: Vec<u32>,
    of: Vec<u32>,
}

/// The maximum number that is counted.
const CROWD: usize = 12;

impl Crowd {
    fn new(base: &Base, shared: usize, who: usize) -> Self {
        let mut pairs: Vec<(u32, u32)> = (0..base.records)
            .flat_map(|record| {
                let who = base.one(who, record);
                let ids = base.of(shared, record).iter();
                ids.filter(move |_| who != NONE).map(move |id| (*id, who))
            })
            .filter(|(id, _)| *id != NONE)
            .collect();
        let shared = &base.columns[shared];
        pairs.par_sort_unstable();
        pairs.dedup();
        let mut crowd = Self {
            ends: Vec::with_capacity(shared.len()),
            of: Vec::with_capacity(pairs.len()),
        };
        let mut at = 0;
        for id in 0..shared.len() as u32 {
            let start = crowd.of.len();
            while at < pairs.len() && pairs[at].0 == id {
                if crowd.of.len() - start < CROWD {
                    crowd.of.push(pairs[at].1);
                }
                at += 1;
            }
            crowd.ends.push(crowd.of.len() as u32);
        }
        crowd
    }

    /// The values that occur with a value.
    pub fn of(&self, id: u32) -> &[u32] {
        let start = if id == 0 {
            0
        } else {
            self.ends[id as usize - 1]
        };
        &self.of[start as usize..self.ends[id as usize] as usize]
    }
}

impl Facts {
    /// Computes the facts that the conditions need.
    pub fn of<'a>(base: &Base, conditions: impl Iterator<Item = &'a Condition>) -> Self {
        let width = base.columns.len();
        let mut facts = Self {
            words: none(width),
            numbers: none(width),
            groups: none(width),
            sounds: none(width),
            crowds: Vec::new(),
        };
        for condition in conditions {
            facts.add(base, condition);
        }
        facts
    }

    fn add(&mut self, base: &Base, condition: &Condition) {
        match condition {
            Condition::All(list) | Condition::Any(list) => {
                list.iter().for_each(|inner| self.add(base, inner))
            }
            Condition::Not(inner) => self.add(base, inner),
            Condition::Holds(Test::Part(at)) => self.add_words(base, *at),
            Condition::Holds(Test::Nickname(at)) => {
                self.groups[*at].get_or_insert_with(|| per_value(&base.columns[*at], groups_of));
            }
            Condition::Holds(Test::Sound(at)) => {
                let packed = |text: &str| packed(&sound(text));
                self.sounds[*at].get_or_insert_with(|| per_value(&base.columns[*at], packed));
            }
            Condition::Holds(_) => {}
            Condition::AtLeast(measure, _) | Condition::AtMost(measure, _) => {
                self.add_measure(base, *measure)
            }
        }
    }

    fn add_measure(&mut self, base: &Base, measure: Measure) {
        match measure {
            Measure::Overlap(at) | Measure::Contained(at) => self.add_words(base, at),
            Measure::Gap(at) | Measure::Share(at) => {
                self.numbers[at].get_or_insert_with(|| per_value(&base.columns[at], number));
            }
            Measure::Others(shared, who) => {
                if self.crowds.iter().all(|(of, _)| *of != (shared, who)) {
                    let crowd = Crowd::new(base, shared, who);
                    self.crowds.push(((shared, who), crowd));
                }
            }
            Measure::JaroWinkler(_) | Measure::Edits(_) | Measure::Length(_) => {}
        }
    }

    fn add_words(&mut self, base: &Base, at: usize) {
        self.words[at].get_or_insert_with(|| Words::new(&base.columns[at], base.records));
    }

    /// Prefetches the facts of a value; the result has no meaning.
    pub fn touch(&self, at: usize, id: u32) -> u64 {
        let number = self.numbers[at].as_ref();
        let words = self.words[at].as_ref().map(|words| words.of(id));
        number.map_or(0, |numbers| numbers[id as usize].to_bits())
            ^ words
                .and_then(<[u32]>::first)
                .map_or(0, |word| u64::from(*word))
    }

    /// The words of an attribute's values, if a condition needs them.
    pub fn words(&self, at: usize) -> Option<&Words> {
        self.words[at].as_ref()
    }

    /// The value as a number.
    pub fn number(&self, at: usize, id: u32) -> f64 {
        self.numbers[at]
            .as_ref()
            .map_or(f64::NAN, |numbers| numbers[id as usize])
    }

    /// The names that a value may be short for.
    pub fn groups(&self, at: usize, id: u32) -> &'static [u16] {
        self.groups[at]
            .as_ref()
            .map_or(&[], |groups| groups[id as usize])
    }

    /// The phonetic code of a value, as a number.
    pub fn sound(&self, at: usize, id: u32) -> Option<u64> {
        self.sounds[at].as_ref().map(|sounds| sounds[id as usize])
    }

    /// The values that occur with those of an attribute, if a condition needs them.
    pub fn crowd(&self, shared: usize, who: usize) -> Option<&Crowd> {
        let found = self.crowds.iter().find(|(of, _)| *of == (shared, who));
        found.map(|(_, crowd)| crowd)
    }
}

fn none<T>(width: usize) -> Vec<Option<T>> {
    std::iter::repeat_with(|| None).take(width).collect()
}

fn per_value<T: Send>(column: &Column, fact: impl Fn(&str) -> T + Sync) -> Vec<T> {
    (0..column.len() as u32)
        .into_par_iter()
        .map(|id| fact(column.text(id)))
        .collect()
}

/// A text as a number, or else the number made of its digits.
fn number(text: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| digits(text).parse().unwrap_or(f64::NAN))
}

fn packed(code: &str) -> u64 {
    code.bytes()
        .take(8)
        .fold(0, |packed, byte| packed << 8 | u64::from(byte))
}
