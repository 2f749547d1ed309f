//! Many profiles side by side: every distinct value once, and a record as a row of numbers.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use rayon::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::profile::{Layout, Profile};

/// The number of a value that a record does not have.
pub const NONE: u32 = 0;

/// The values of one attribute.
#[derive(Debug, Default)]
pub struct Column {
    /// How many values a record may have.
    pub width: usize,
    /// The values of the records, `width` each.
    pub ids: Vec<u32>,
    /// In how many records each value stands.
    pub counts: Vec<u32>,
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Column {
    fn new(width: usize) -> Self {
        Self {
            width,
            counts: vec![0],
            ends: vec![0],
            ..Self::default()
        }
    }

    /// The text of a value.
    pub fn text(&self, id: u32) -> &str {
        match id {
            NONE => "",
            id => &self.text[self.ends[id as usize - 1] as usize..self.ends[id as usize] as usize],
        }
    }

    /// How many distinct values there are, the absent one included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no record has a value.
    pub fn is_empty(&self) -> bool {
        self.ends.len() == 1
    }

    /// The values of a record.
    pub fn of(&self, record: u32) -> &[u32] {
        &self.ids[record as usize * self.width..(record as usize + 1) * self.width]
    }

    /// The first value of a record.
    pub fn one(&self, record: u32) -> u32 {
        self.ids[record as usize * self.width]
    }

    /// The number of a value, if it is known.
    pub fn find(&self, value: &str) -> Option<u32> {
        let hash = FxBuildHasher.hash_one(value);
        self.table.find(hash, |id| self.text(*id) == value).copied()
    }

    fn intern(&mut self, value: &str) -> u32 {
        if let Some(id) = self.find(value) {
            return id;
        }
        let id = self.ends.len() as u32;
        self.text.push_str(value);
        self.ends.push(self.text.len() as u32);
        self.counts.push(0);
        let (text, ends) = (&self.text, &self.ends);
        let of = |id: &u32| {
            FxBuildHasher
                .hash_one(&text[ends[*id as usize - 1] as usize..ends[*id as usize] as usize])
        };
        self.table
            .insert_unique(FxBuildHasher.hash_one(value), id, of);
        id
    }

    fn push(&mut self, values: impl Iterator<Item = u32>) {
        let start = self.ids.len();
        for id in values.take(self.width) {
            if !self.ids[start..].contains(&id) {
                self.ids.push(id);
                self.counts[id as usize] += 1;
            }
        }
        self.ids.resize(start + self.width, NONE);
    }
}

/// The records that are compared.
#[derive(Debug)]
pub struct Base {
    /// The attributes' values, in the order of the layout.
    pub columns: Vec<Column>,
    /// How many records there are.
    pub records: u32,
    /// Where the second of two tables begins; all records may be compared where there is one table.
    pub second_table: Option<u32>,
}

impl Base {
    /// An empty base.
    pub fn new(layout: &Layout) -> Self {
        let columns = layout
            .attributes
            .iter()
            .map(|attribute| Column::new(attribute.width))
            .collect();
        Self {
            columns,
            records: 0,
            second_table: None,
        }
    }

    /// Adds records.
    pub fn extend(&mut self, profiles: &[Profile]) {
        self.columns
            .par_iter_mut()
            .enumerate()
            .for_each(|(attribute, column)| {
                let mut ids: Vec<u32> = Vec::with_capacity(4);
                for profile in profiles {
                    ids.clear();
                    for (of, value) in profile.values() {
                        if of == attribute {
                            ids.push(column.intern(value));
                        }
                    }
                    column.push(ids.iter().copied());
                }
            });
        self.records += profiles.len() as u32;
    }

    /// Lets go of what only the adding of records needs.
    pub fn seal(&mut self) {
        for column in &mut self.columns {
            column.table = HashTable::new();
            column.ids.shrink_to_fit();
            column.text.shrink_to_fit();
        }
    }

    /// Whether two records may be compared at all.
    pub fn comparable(&self, one: u32, other: u32) -> bool {
        self.second_table
            .is_none_or(|second| (one < second) != (other < second))
    }
}
