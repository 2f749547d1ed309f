//! The blocks of a base, and what each key brings together.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::key::Key;
use crate::base::Base;

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
    left_out: Vec<(usize, Vec<u32>)>,
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
            let entries = key.entries(base);
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
                if let Some(attribute) = key.attribute() {
                    self.left_out
                        .push((attribute, block.iter().map(|(_, record)| *record).collect()));
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

    /// The attribute and the members of blocks that were too large, where one attribute makes the key.
    pub fn left_out(&self) -> &[(usize, Vec<u32>)] {
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
