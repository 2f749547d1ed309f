//! The attributes and measures that conditions name, and the bits of a pair for them.

use super::condition::Measure;
use crate::profile::Layout;

/// Facts about a pair that need no text: one bit per attribute that conditions name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bits {
    /// Both records have a value.
    pub both: u64,
    /// Neither record has a value.
    pub neither: u64,
    /// The records share a value.
    pub equal: u64,
}

impl Bits {
    #[inline]
    pub(super) fn holds_all(self, wanted: Self) -> bool {
        self.both & wanted.both == wanted.both
            && self.neither & wanted.neither == wanted.neither
            && self.equal & wanted.equal == wanted.equal
    }

    #[inline]
    pub(super) fn holds_one(self, barred: Self) -> bool {
        (self.both & barred.both) | (self.neither & barred.neither) | (self.equal & barred.equal)
            != 0
    }

    #[inline]
    pub(super) fn add(&mut self, other: Self) {
        self.both |= other.both;
        self.neither |= other.neither;
        self.equal |= other.equal;
    }

    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// The attributes and measures that conditions name, without duplicates.
#[derive(Debug, Clone, Default)]
pub struct Named {
    /// The attributes; their positions are the bits of a pair.
    pub attributes: Vec<usize>,
    /// The offset of each attribute's values in a record's row, and their number.
    pub places: Vec<(usize, usize)>,
    /// The attributes whose texts are compared.
    pub texts: Vec<usize>,
    /// The attributes whose words or numbers are compared.
    pub facts: Vec<usize>,
    /// The measures, with the greatest bound of each.
    pub measures: Vec<(Measure, f32)>,
}

impl Named {
    /// Looks up the offsets of the attributes, once all conditions are known.
    pub fn settle(&mut self, layout: &Layout) {
        let attributes = self.attributes.iter();
        self.places = attributes.map(|at| layout.place_of(*at)).collect();
    }

    pub(super) fn bit(&mut self, attribute: usize) -> u64 {
        let known = self.attributes.iter().position(|at| *at == attribute);
        let place = known.unwrap_or_else(|| {
            self.attributes.push(attribute);
            self.attributes.len() - 1
        });
        // More than 64 attributes are rejected when the conditions are compiled.
        1_u64.checked_shl(place as u32).unwrap_or_default()
    }

    pub(super) fn measure(&mut self, measure: Measure, bound: f32) -> usize {
        let known = self.measures.iter().position(|(of, _)| *of == measure);
        let place = known.unwrap_or_else(|| {
            self.measures.push((measure, bound));
            self.measures.len() - 1
        });
        self.measures[place].1 = self.measures[place].1.max(bound);
        place
    }

    /// The bits that a measure requires.
    pub(super) fn needed(&mut self, measure: Measure) -> Bits {
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

pub(super) fn listed(list: &mut Vec<usize>, attribute: usize) {
    if !list.contains(&attribute) {
        list.push(attribute);
    }
}
