//! A blocking key and its values for a record.

use std::hash::BuildHasher;

use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::base::{Base, Column, NONE};
use crate::compare::ConditionError;
use crate::normalise::sound;
use crate::profile::Layout;
use crate::spec::Spec;

/// A compiled blocking key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its parts as written.
    pub label: String,
    pub(crate) parts: Vec<Part>,
    /// Larger blocks are ignored.
    pub most: usize,
}

/// One part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The whole value of the attribute.
    Value(usize),
    /// Its first letters.
    Prefix(usize, usize),
    /// Its last letters.
    Suffix(usize, usize),
    /// Its phonetic code.
    Sound(usize),
    /// Its first word.
    FirstWord(usize),
    /// Each of its words that is rare.
    Words(usize),
    /// Each n-gram of this length.
    Grams(usize, usize),
    /// Its words, sorted.
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

    /// Its attribute.
    pub(crate) fn attribute(self) -> usize {
        let (Self::Value(at)
        | Self::Sound(at)
        | Self::FirstWord(at)
        | Self::Words(at)
        | Self::Sorted(at)
        | Self::Prefix(at, _)
        | Self::Suffix(at, _)
        | Self::Grams(at, _)) = self;
        at
    }

    /// Hashes of the keys that this part makes of a value.
    fn of_value(self, column: &Column, id: u32, out: &mut Vec<u64>) {
        let text = column.text(id);
        match self {
            Self::Value(_) => out.push(hash(&id)),
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
        }
    }
}

/// The keys that a part makes of each value of its attribute.
struct Hashed {
    attribute: usize,
    ends: Vec<u32>,
    hashes: Vec<u64>,
}

impl Hashed {
    fn of(part: Part, base: &Base) -> Self {
        const CHUNK: usize = 1 << 13;
        let column = &base.columns[part.attribute()];
        let parts: Vec<(Vec<u32>, Vec<u64>)> = (0..column.len().div_ceil(CHUNK))
            .into_par_iter()
            .map(|chunk| {
                let (mut counts, mut hashes) = (Vec::with_capacity(CHUNK), Vec::new());
                for id in chunk * CHUNK..((chunk + 1) * CHUNK).min(column.len()) {
                    let before = hashes.len();
                    if id != NONE as usize {
                        part.of_value(column, id as u32, &mut hashes);
                    }
                    counts.push((hashes.len() - before) as u32);
                }
                (counts, hashes)
            })
            .collect();
        let mut hashed = Self {
            attribute: part.attribute(),
            ends: vec![0],
            hashes: Vec::new(),
        };
        for (counts, hashes) in parts {
            for count in counts {
                let last = hashed.ends.last().copied().unwrap_or_default();
                hashed.ends.push(last + count);
            }
            hashed.hashes.extend(hashes);
        }
        hashed
    }

    fn of_record(&self, base: &Base, record: u32) -> impl Iterator<Item = u64> {
        let ids = base.of(self.attribute, record).iter();
        ids.filter(|id| **id != NONE).flat_map(|id| {
            let range = self.ends[*id as usize] as usize..self.ends[*id as usize + 1] as usize;
            self.hashes[range].iter().copied()
        })
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

    /// The attribute, if the key is made of its whole values alone.
    pub fn attribute(&self) -> Option<usize> {
        match self.parts.as_slice() {
            [Part::Value(at)] => Some(*at),
            _ => None,
        }
    }

    /// The key's values with their records, in order; records that lack a part have none.
    pub(crate) fn entries(&self, base: &Base) -> Vec<(u64, u32)> {
        const CHUNK: u32 = 1 << 13;
        let parts: Vec<Hashed> = self
            .parts
            .iter()
            .map(|part| Hashed::of(*part, base))
            .collect();
        let of_chunk = |chunk: u32| {
            let mut entries = Vec::with_capacity(CHUNK as usize);
            let (mut values, mut next) = (Vec::new(), Vec::new());
            for record in chunk * CHUNK..((chunk + 1) * CHUNK).min(base.records) {
                values.clear();
                values.push(0x51_u64);
                for part in &parts {
                    next.clear();
                    for value in &values {
                        let value = value.rotate_left(23).wrapping_mul(0xff51_afd7_ed55_8ccd);
                        next.extend(part.of_record(base, record).map(|part| value ^ part));
                    }
                    std::mem::swap(&mut values, &mut next);
                }
                values.sort_unstable();
                values.dedup();
                entries.extend(values.iter().map(|value| (*value, record)));
            }
            entries
        };
        let chunks: Vec<Vec<(u64, u32)>> = (0..base.records.div_ceil(CHUNK))
            .into_par_iter()
            .map(of_chunk)
            .collect();
        let mut entries = chunks.concat();
        entries.par_sort_unstable();
        entries
    }
}
