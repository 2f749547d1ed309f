//! The blocks of a base, and the pairs that each key yields.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::key::Key;
use crate::base::Base;

/// The report on a blocking key.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct KeyReport {
    /// The key's parts.
    pub key: String,
    /// Pairs it yields.
    pub pairs: u64,
    /// Pairs that no other key yields.
    pub alone: u64,
    /// Matches that no other key yields.
    pub matches_alone: u64,
    /// Blocks ignored because they were too large.
    pub blocks_left_out: u64,
    /// Pairs that the ignored blocks would have yielded.
    pub pairs_left_out: u64,
}

/// The blocks of a base.
#[derive(Debug)]
pub struct Blocks {
    /// The keys, with their reports on ignored blocks.
    pub keys: Vec<KeyReport>,
    /// The members: the records of each block in order, one block after the other; the last of a block is
    /// marked.
    members: Vec<u32>,
    /// The number of members up to the end of each key.
    key_ends: Vec<usize>,
    /// The end of each record's places.
    place_ends: Vec<u32>,
    /// The places of the records among the members.
    places: Vec<Place>,
    /// The members of blocks that were too large, for keys of one attribute.
    left_out: Vec<(usize, Vec<u32>)>,
}

/// A place among the members, and the key of its block.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    at: u32,
    key: u8,
}

/// The mark of the last member of a block.
const LAST: u32 = 1 << 31;

/// A partner of a record, and the keys they share.
pub type Partner = (u32, u64);

impl Blocks {
    /// Computes the blocks of a base.
    pub fn of(base: &Base, keys: &[Key]) -> Self {
        let mut blocks = Self {
            keys: Vec::new(),
            members: Vec::new(),
            key_ends: Vec::new(),
            place_ends: Vec::new(),
            places: Vec::new(),
            left_out: Vec::new(),
        };
        for key in keys {
            let entries = key.entries(base);
            let report = blocks.add(base, key, &entries);
            blocks.keys.push(report);
            blocks.key_ends.push(blocks.members.len());
        }
        blocks.index(base.records);
        blocks
    }

    fn add(&mut self, base: &Base, key: &Key, entries: &[(u64, u32)]) -> KeyReport {
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
                if let Some(attribute) = key.attribute() {
                    self.left_out
                        .push((attribute, block.iter().map(|(_, record)| *record).collect()));
                }
                continue;
            }
            self.members.extend(block.iter().map(|(_, record)| *record));
            if let Some(last) = self.members.last_mut() {
                *last |= LAST;
            }
        }
        report
    }

    fn index(&mut self, records: u32) {
        let mut counts = vec![0_u32; records as usize + 1];
        for member in &self.members {
            counts[(*member & !LAST) as usize + 1] += 1;
        }
        for at in 1..counts.len() {
            counts[at] += counts[at - 1];
        }
        let mut next = counts.clone();
        self.places = vec![Place::default(); self.members.len()];
        let mut start = 0;
        for (key, end) in self.key_ends.iter().enumerate() {
            for at in start..*end {
                let member = (self.members[at] & !LAST) as usize;
                self.places[next[member] as usize] = Place {
                    at: at as u32,
                    key: key as u8,
                };
                next[member] += 1;
            }
            start = *end;
        }
        self.place_ends = counts;
    }

    fn places_of(&self, record: u32) -> &[Place] {
        let record = record as usize;
        &self.places[self.place_ends[record] as usize..self.place_ends[record + 1] as usize]
    }

    /// The members of a block after a place.
    fn behind(&self, place: Place) -> impl Iterator<Item = u32> {
        let at = place.at as usize;
        let mut ended = self.members[at] & LAST != 0;
        self.members[at + 1..].iter().map_while(move |member| {
            let within = !ended;
            ended = member & LAST != 0;
            within.then_some(member & !LAST)
        })
    }

    /// The members of a block before a place.
    fn before(&self, place: Place) -> impl Iterator<Item = u32> {
        let before = self.members[..place.at as usize].iter().rev();
        before.take_while(|member| **member & LAST == 0).copied()
    }

    /// The attribute and the members of blocks that were too large, if one attribute makes the key.
    pub fn left_out(&self) -> &[(usize, Vec<u32>)] {
        &self.left_out
    }

    /// The report on each key, alone and with the others; `matches` are pairs with the lower number first, in
    /// order.
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

    /// All partners of a record, in order.
    pub fn all_partners(&self, base: &Base, record: u32) -> Vec<u32> {
        let places = self.places_of(record).iter();
        let mut found: Vec<u32> = places
            .flat_map(|place| self.before(*place).chain(self.behind(*place)))
            .collect();
        found.retain(|other| base.comparable(record, *other));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The partners with a greater number than this record, in order, each once, with the shared keys.
    pub fn partners(&self, base: &Base, record: u32, out: &mut Vec<Partner>) {
        out.clear();
        for place in self.places_of(record) {
            let bit = 1_u64 << place.key;
            let others = self.behind(*place);
            let others = others.filter(|other| base.comparable(record, *other));
            out.extend(others.map(|other| (other, bit)));
        }
        out.sort_unstable_by_key(|(other, _)| *other);
        out.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 |= next.1;
            }
            same
        });
    }
}
