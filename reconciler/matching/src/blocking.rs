//! Blocking: which pairs are compared at all.

use std::hash::BuildHasher;

use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashSet};

use crate::base::{Base, Column, NONE};
use crate::compare::ConditionError;
use crate::normalise::sound;
use crate::profile::Layout;
use crate::spec::Spec;

/// A blocking key ready to be computed.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its parts as written.
    pub label: String,
    pub(crate) parts: Vec<Part>,
    /// Larger blocks are left out.
    pub most: usize,
}

/// One part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Any value of the attribute.
    Value(usize),
    /// The first letters of it.
    Prefix(usize, usize),
    /// The last letters of it.
    Suffix(usize, usize),
    /// How it sounds.
    Sound(usize),
    /// Its first word.
    FirstWord(usize),
    /// Each of its words that is rare.
    Words(usize),
    /// Each run of so many letters.
    Grams(usize, usize),
    /// Its words without order.
    Sorted(usize),
}

impl Part {
    fn parse(text: &str, layout: &Layout) -> Result<Self, ConditionError> {
        let fault = |fault: String| ConditionError {
            text: text.to_owned(),
            fault,
        };
        let (name, inner) = text
            .trim()
            .strip_suffix(')')
            .and_then(|rest| rest.split_once('('))
            .unwrap_or(("", text.trim()));
        let (attribute, letters) = inner.split_once(',').unwrap_or((inner, ""));
        let at = layout.attribute(attribute.trim()).ok_or_else(|| {
            fault(format!(
                "`{}` is no attribute of the declared fields",
                attribute.trim()
            ))
        })?;
        let letters = || {
            letters
                .trim()
                .parse()
                .map_err(|_| fault("a number of letters is missing".to_owned()))
        };
        Ok(match name {
            "" => Self::Value(at),
            "prefix" => Self::Prefix(at, letters()?),
            "suffix" => Self::Suffix(at, letters()?),
            "sound" => Self::Sound(at),
            "first" => Self::Prefix(at, 1),
            "first_word" => Self::FirstWord(at),
            "words" => Self::Words(at),
            "grams" => Self::Grams(at, letters()?),
            "sorted" => Self::Sorted(at),
            other => return Err(fault(format!("`{other}` is no part of a key"))),
        })
    }

    /// Hashes of this part's values for a record.
    fn hashes(self, base: &Base, record: u32, out: &mut Vec<u64>) {
        let at = match self {
            Self::Value(at)
            | Self::Sound(at)
            | Self::FirstWord(at)
            | Self::Words(at)
            | Self::Sorted(at) => at,
            Self::Prefix(at, _) | Self::Suffix(at, _) | Self::Grams(at, _) => at,
        };
        let column = &base.columns[at];
        for id in column.of(record).iter().filter(|id| **id != NONE) {
            self.of_value(column, *id, out);
        }
    }

    fn of_value(self, column: &Column, id: u32, out: &mut Vec<u64>) {
        if let Self::Value(_) = self {
            out.push(hash(&id));
            return;
        }
        let text = column.text(id);
        match self {
            Self::Prefix(_, letters) => out.push(hash(&prefix(text, letters))),
            Self::Suffix(_, letters) => {
                let skipped = text.chars().count().saturating_sub(letters);
                out.push(hash(&text.chars().skip(skipped).collect::<String>()));
            }
            Self::Sound(_) => out.push(hash(&sound(text))),
            Self::FirstWord(_) => out.extend(text.split(' ').next().map(|word| hash(&word))),
            Self::Words(_) => out.extend(
                text.split(' ')
                    .filter(|word| word.len() > 1)
                    .map(|word| hash(&word)),
            ),
            Self::Sorted(_) => {
                let mut words: Vec<&str> = text.split(' ').collect();
                words.sort_unstable();
                out.push(hash(&words));
            }
            Self::Grams(_, letters) => {
                let all: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
                out.extend(all.windows(letters.max(1)).map(|gram| hash(&gram)));
            }
            Self::Value(_) => {}
        }
    }
}

pub(crate) fn prefix(text: &str, letters: usize) -> &str {
    text.char_indices()
        .nth(letters)
        .map_or(text, |(end, _)| &text[..end])
}

fn hash<T: std::hash::Hash>(value: &T) -> u64 {
    FxBuildHasher
        .hash_one(value)
        .rotate_left(17)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Key {
    /// Compiles the keys of a specification.
    pub fn compile(spec: &Spec, layout: &Layout) -> Result<Vec<Self>, ConditionError> {
        if spec.blocking.len() > 64 {
            return Err(ConditionError {
                text: "blocking".to_owned(),
                fault: "at most 64 keys are possible".to_owned(),
            });
        }
        let compiled = spec.blocking.iter().map(|key| {
            let parts: Result<Vec<Part>, ConditionError> = key
                .key
                .iter()
                .map(|part| Part::parse(part, layout))
                .collect();
            Ok(Self {
                label: key.key.join(" + "),
                parts: parts?,
                most: key.most,
            })
        });
        compiled.collect()
    }

    /// The attribute whose values alone make the key.
    pub fn attribute(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Value(at)] => Some(*at),
            _ => None,
        }
    }

    /// The key's values for a record; none where a part is missing.
    pub fn values(&self, base: &Base, record: u32) -> Vec<u64> {
        let mut values = vec![0x51_u64];
        let mut part_values = Vec::with_capacity(4);
        for part in &self.parts {
            part_values.clear();
            part.hashes(base, record, &mut part_values);
            values = values
                .iter()
                .flat_map(|value| {
                    part_values.iter().map(move |part| {
                        value.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ part
                    })
                })
                .collect();
        }
        values.sort_unstable();
        values.dedup();
        values
    }
}

/// What a key brings together.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct KeyReport {
    /// The key's parts.
    pub key: String,
    /// Pairs it brings together.
    pub pairs: u64,
    /// Pairs that no other key brings together.
    pub alone: u64,
    /// Matches that no other key brings together.
    pub matches_alone: u64,
    /// Blocks left out because they were too large.
    pub blocks_left_out: u64,
    /// Pairs those would have given.
    pub pairs_left_out: u64,
}

/// The blocks of a base.
#[derive(Debug)]
pub struct Blocks {
    /// The keys, with what each left out.
    pub keys: Vec<KeyReport>,
    members: Vec<u32>,
    ends: Vec<u32>,
    key_of: Vec<u8>,
    record_ends: Vec<u32>,
    of_record: Vec<u32>,
    /// The members of blocks that were too large, where one attribute makes the key.
    left_out: Vec<Vec<u32>>,
}

/// A record that some keys bring together with another, and which keys.
pub type Partner = (u32, u64);

impl Blocks {
    /// Sorts the records of a base into blocks.
    pub fn of(base: &Base, keys: &[Key]) -> Self {
        let mut blocks = Self {
            keys: Vec::new(),
            members: Vec::new(),
            ends: vec![0],
            key_of: Vec::new(),
            record_ends: Vec::new(),
            of_record: Vec::new(),
            left_out: Vec::new(),
        };
        for (number, key) in keys.iter().enumerate() {
            let mut entries: Vec<(u64, u32)> = (0..base.records)
                .into_par_iter()
                .flat_map_iter(|record| {
                    key.values(base, record)
                        .into_iter()
                        .map(move |value| (value, record))
                })
                .collect();
            entries.par_sort_unstable();
            let report = blocks.add(base, key, number as u8, &entries);
            blocks.keys.push(report);
        }
        blocks.index(base.records);
        blocks
    }

    fn add(&mut self, base: &Base, key: &Key, number: u8, entries: &[(u64, u32)]) -> KeyReport {
        let mut report = KeyReport {
            key: key.label.clone(),
            ..KeyReport::default()
        };
        for block in entries.chunk_by(|one, other| one.0 == other.0) {
            let second = base.second_table.map_or(0, |second| {
                block.partition_point(|(_, record)| *record < second)
            });
            let pairs = match base.second_table {
                Some(_) => second * (block.len() - second),
                None => block.len() * (block.len() - 1) / 2,
            };
            if pairs == 0 {
                continue;
            }
            if block.len() > key.most {
                report.blocks_left_out += 1;
                report.pairs_left_out += pairs as u64;
                if key.attribute().is_some() {
                    self.left_out
                        .push(block.iter().map(|(_, record)| *record).collect());
                }
                continue;
            }
            self.members.extend(block.iter().map(|(_, record)| *record));
            self.ends.push(self.members.len() as u32);
            self.key_of.push(number);
        }
        report
    }

    fn index(&mut self, records: u32) {
        let mut counts = vec![0_u32; records as usize + 1];
        for member in &self.members {
            counts[*member as usize + 1] += 1;
        }
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        let mut next = counts.clone();
        self.of_record = vec![0; self.members.len()];
        for block in 0..self.key_of.len() {
            for at in self.ends[block]..self.ends[block + 1] {
                let member = self.members[at as usize] as usize;
                self.of_record[next[member] as usize] = block as u32;
                next[member] += 1;
            }
        }
        self.record_ends = counts;
    }

    /// The members of blocks that were too large, where one attribute makes the key: what is not compared is learnt from all the same.
    pub fn left_out(&self) -> &[Vec<u32>] {
        &self.left_out
    }

    /// What each key brings together, alone and with others; `matches` are pairs in order of their numbers' size within each.
    pub fn report(&self, base: &Base, matches: &[(u32, u32)]) -> Vec<KeyReport> {
        let matches: FxHashSet<(u32, u32)> = matches.iter().copied().collect();
        let chunk = 4096_u32;
        let count = |number: u32| {
            let mut counts = vec![[0_u64; 3]; self.keys.len()];
            let mut partners = Vec::new();
            for record in number * chunk..((number + 1) * chunk).min(base.records) {
                self.partners(base, record, &mut partners);
                for (other, bits) in &partners {
                    let alone = bits.count_ones() == 1;
                    let matching = alone && matches.contains(&(record, *other));
                    for (key, count) in counts
                        .iter_mut()
                        .enumerate()
                        .filter(|(key, _)| bits >> key & 1 == 1)
                    {
                        debug_assert!(key < 64);
                        count[0] += 1;
                        count[1] += u64::from(alone);
                        count[2] += u64::from(matching);
                    }
                }
            }
            counts
        };
        let parts: Vec<_> = (0..base.records.div_ceil(chunk))
            .into_par_iter()
            .map(count)
            .collect();
        let sum = |key: usize, which: usize| parts.iter().map(|part| part[key][which]).sum();
        let told = |(key, report): (usize, &KeyReport)| KeyReport {
            pairs: sum(key, 0),
            alone: sum(key, 1),
            matches_alone: sum(key, 2),
            ..report.clone()
        };
        self.keys.iter().enumerate().map(told).collect()
    }

    /// All records that it is compared with, in order.
    pub fn all_partners(&self, base: &Base, record: u32) -> Vec<u32> {
        let blocks = &self.of_record[self.record_ends[record as usize] as usize
            ..self.record_ends[record as usize + 1] as usize];
        let members = |block: &u32| {
            self.ends[*block as usize] as usize..self.ends[*block as usize + 1] as usize
        };
        let mut found: Vec<u32> = blocks
            .iter()
            .flat_map(|block| &self.members[members(block)])
            .copied()
            .collect();
        found.retain(|other| *other != record && base.comparable(record, *other));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The records after this one that it is compared with, in order, each once, with the keys that say so.
    pub fn partners(&self, base: &Base, record: u32, out: &mut Vec<Partner>) {
        out.clear();
        let blocks = &self.of_record[self.record_ends[record as usize] as usize
            ..self.record_ends[record as usize + 1] as usize];
        for block in blocks {
            let members = &self.members
                [self.ends[*block as usize] as usize..self.ends[*block as usize + 1] as usize];
            let bit = 1_u64 << self.key_of[*block as usize];
            let after = members.partition_point(|member| *member <= record);
            out.extend(
                members[after..]
                    .iter()
                    .filter(|other| base.comparable(record, **other))
                    .map(|other| (*other, bit)),
            );
        }
        out.sort_unstable();
        out.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 |= next.1;
            }
            same
        });
    }
}
