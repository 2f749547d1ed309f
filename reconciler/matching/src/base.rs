//! The compared records: every distinct value once, and each record as a row of value numbers.

use hashbrown::HashTable;
use rayon::prelude::*;

use crate::profile::{Layout, Profile};

/// The number of a missing value.
pub const NONE: u32 = 0;

/// The place of a value's text, and facts about it that need no reading of the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brief {
    /// Its letters, digits and signs, one bit each; `FOREIGN` if it has non-ASCII characters.
    pub symbols: u64,
    start: u32,
    /// Its length in bytes.
    pub length: u32,
}

/// The bit of a text that is not ASCII.
pub const FOREIGN: u64 = 1 << 63;
/// The bit of a blank: the text has more than one word.
pub const BLANK: u64 = 1 << 36;
/// The bits of the digits.
pub const DIGITS: u64 = 0x3ff << 26;

/// The symbols of a text as bits.
pub fn symbols(text: &str) -> u64 {
    text.bytes().fold(0, |bits, byte| {
        bits | match byte {
            b'a'..=b'z' => 1 << (byte - b'a'),
            b'0'..=b'9' => 1 << (26 + byte - b'0'),
            b' ' => BLANK,
            b'@' => 1 << 37,
            b'.' => 1 << 38,
            b'-' => 1 << 39,
            0x80.. => FOREIGN,
            // Capitals and other signs share eight bits.
            _ => 1 << (40 + byte % 8),
        }
    })
}

/// The values of one attribute.
#[derive(Debug, Default)]
pub struct Column {
    /// How many values of it a record may have.
    pub width: usize,
    /// Their offset in the row of a record.
    pub offset: usize,
    /// The number of records with each value.
    pub counts: Vec<u32>,
    text: String,
    briefs: Vec<Brief>,
    /// The numbers and hashes of the values.
    table: HashTable<(u32, u32)>,
}

impl Column {
    fn new(width: usize, offset: usize) -> Self {
        Self {
            width,
            offset,
            counts: vec![0],
            briefs: vec![Brief::default()],
            ..Self::default()
        }
    }

    /// The text of a value.
    pub fn text(&self, id: u32) -> &str {
        let brief = self.briefs[id as usize];
        &self.text[brief.start as usize..(brief.start + brief.length) as usize]
    }

    /// The facts about a value that need no reading of its text.
    pub fn brief(&self, id: u32) -> Brief {
        self.briefs[id as usize]
    }

    /// The number of distinct values, including the missing one.
    pub fn len(&self) -> usize {
        self.briefs.len()
    }

    /// Whether no record has a value.
    pub fn is_empty(&self) -> bool {
        self.briefs.len() == 1
    }

    /// The number of a value; a new value gets the next number.
    fn intern(&mut self, value: &str, hash: u32) -> u32 {
        let (text, briefs) = (&self.text, &self.briefs);
        let is_it = |(id, of): &(u32, u32)| {
            let brief = briefs[*id as usize];
            *of == hash
                && &text[brief.start as usize..(brief.start + brief.length) as usize] == value
        };
        if let Some((id, _)) = self.table.find(spread(hash), is_it) {
            return *id;
        }
        let id = briefs.len() as u32;
        self.table
            .insert_unique(spread(hash), (id, hash), |(_, hash)| spread(*hash));
        self.briefs.push(Brief {
            symbols: symbols(value),
            start: self.text.len() as u32,
            length: value.len() as u32,
        });
        self.text.push_str(value);
        self.counts.push(0);
        id
    }

    /// Value numbers, `width` per record.
    fn take(&mut self, values: &[Value], records: usize) -> Vec<u32> {
        let mut ids = vec![NONE; records * self.width];
        for values in values.chunks(AT_ONCE) {
            self.fetch(values);
            for (record, value, hash) in values {
                let own = *record as usize * self.width;
                let own = own..own + self.width;
                let Some(free) = ids[own.clone()].iter().position(|id| *id == NONE) else {
                    continue;
                };
                let id = self.intern(value, *hash);
                if !ids[own.clone()].contains(&id) {
                    ids[own.start + free] = id;
                    self.counts[id as usize] += 1;
                }
            }
        }
        ids
    }

    /// Prefetches the table entries of several values: memory is slow to answer one read, but answers many at
    /// once.
    fn fetch(&self, values: &[Value]) {
        let mut found = [0; AT_ONCE];
        for (found, (_, _, hash)) in found.iter_mut().zip(values) {
            let entry = self.table.find(spread(*hash), |(_, of)| of == hash);
            *found = entry.map_or(0, |(id, _)| *id as usize);
        }
        let mut touched = 0;
        for id in found {
            touched ^= u64::from(self.counts[id]) ^ self.briefs[id].symbols;
        }
        for id in found {
            let byte = self.text.as_bytes().get(self.briefs[id].start as usize);
            touched ^= byte.map_or(0, |byte| u64::from(*byte));
        }
        std::hint::black_box(touched);
    }
}

/// A value of a record, and its hash.
type Value<'a> = (u32, &'a str, u32);

/// The number of values that are looked up together.
const AT_ONCE: usize = 48;

/// A hash of all bits of a word, as the hash table needs it.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The compared records.
#[derive(Debug)]
pub struct Base {
    /// The attributes' values, in the order of the layout.
    pub columns: Vec<Column>,
    /// How many records there are.
    pub records: u32,
    /// The first record of the second table; `None` if there is one table, whose records are all compared
    /// with each other.
    pub second_table: Option<u32>,
    /// The values of each record in a row, so that a comparison reads adjacent memory.
    rows: Vec<u32>,
    stride: usize,
}

impl Base {
    /// An empty base.
    pub fn new(layout: &Layout) -> Self {
        let mut stride = 0;
        let columns = layout.attributes.iter().map(|attribute| {
            let column = Column::new(attribute.width, stride);
            stride += attribute.width;
            column
        });
        Self {
            columns: columns.collect(),
            records: 0,
            second_table: None,
            rows: Vec::new(),
            stride,
        }
    }

    /// Adds records.
    pub fn extend(&mut self, profiles: &[Profile]) {
        let mut values: Vec<Vec<Value>> = vec![Vec::new(); self.columns.len()];
        for (record, profile) in profiles.iter().enumerate() {
            for (attribute, value, hash) in profile.values() {
                values[attribute].push((record as u32, value, hash));
            }
        }
        let columns = self.columns.par_iter_mut().zip(&values);
        let taken: Vec<Vec<u32>> = columns
            .map(|(column, values)| column.take(values, profiles.len()))
            .collect();
        let before = self.rows.len();
        self.rows
            .resize(before + profiles.len() * self.stride, NONE);
        let columns = &self.columns;
        let fill = |(record, row): (usize, &mut [u32])| {
            for (column, ids) in columns.iter().zip(&taken) {
                let from = record * column.width;
                row[column.offset..column.offset + column.width]
                    .copy_from_slice(&ids[from..from + column.width]);
            }
        };
        self.rows[before..]
            .par_chunks_mut(self.stride.max(1))
            .enumerate()
            .for_each(fill);
        self.records += profiles.len() as u32;
    }

    /// All values of a record.
    pub fn row(&self, record: u32) -> &[u32] {
        &self.rows[record as usize * self.stride..(record as usize + 1) * self.stride]
    }

    /// Prefetches a record's row; the result has no meaning.
    pub fn touch(&self, record: u32) -> u64 {
        let row = self.row(record);
        let line = row.iter().step_by(16).chain(row.last());
        line.fold(0, |touched, value| touched ^ u64::from(*value))
    }

    /// The values of a record for one attribute.
    pub fn of(&self, attribute: usize, record: u32) -> &[u32] {
        let column = &self.columns[attribute];
        &self.row(record)[column.offset..column.offset + column.width]
    }

    /// The first value of a record for one attribute.
    pub fn one(&self, attribute: usize, record: u32) -> u32 {
        self.row(record)[self.columns[attribute].offset]
    }

    /// Frees the memory that is needed only for adding records.
    pub fn seal(&mut self) {
        for column in &mut self.columns {
            column.table = HashTable::new();
            column.briefs.shrink_to_fit();
            column.text.shrink_to_fit();
        }
        self.rows.shrink_to_fit();
    }

    /// Whether two records may be compared at all.
    pub fn comparable(&self, one: u32, other: u32) -> bool {
        self.second_table
            .is_none_or(|second| (one < second) != (other < second))
    }
}
