//! Blocking keys as texts for storage: they do not depend on where or when they are computed.

use crate::base::{Base, NONE};
use crate::blocking::{Key, Part, prefix};
use crate::normalise::sound;

impl Key {
    /// The key's values for a record as texts, the same in every base and version.
    pub fn texts(&self, base: &Base, record: u32) -> Vec<String> {
        let mut values = vec![String::new()];
        for part in &self.parts {
            let parts = part.texts(base, record);
            values = values
                .iter()
                .flat_map(|value| parts.iter().map(move |part| format!("{value}\u{1f}{part}")))
                .collect();
        }
        values.sort_unstable();
        values.dedup();
        values
    }
}

impl Part {
    /// This part's values for a record as texts, the same in every base and version.
    fn texts(self, base: &Base, record: u32) -> Vec<String> {
        let at = self.attribute();
        let column = &base.columns[at];
        let ids = base.of(at, record).iter().filter(|id| **id != NONE);
        ids.flat_map(|id| self.of_text(column.text(*id))).collect()
    }

    fn of_text(self, text: &str) -> Vec<String> {
        let words = || text.split(' ');
        match self {
            Self::Value(_) => vec![text.to_owned()],
            Self::Prefix(_, letters) => vec![prefix(text, letters).to_owned()],
            Self::Suffix(_, letters) => {
                let skipped = text.chars().count().saturating_sub(letters);
                vec![text.chars().skip(skipped).collect()]
            }
            Self::Sound(_) => vec![sound(text)],
            Self::FirstWord(_) => words().take(1).map(str::to_owned).collect(),
            Self::Words(_) => words()
                .filter(|word| word.len() > 1)
                .map(str::to_owned)
                .collect(),
            Self::Sorted(_) => {
                let mut sorted: Vec<&str> = words().collect();
                sorted.sort_unstable();
                vec![sorted.join(" ")]
            }
            Self::Grams(_, letters) => {
                let all: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
                all.windows(letters.max(1))
                    .map(|gram| gram.iter().collect())
                    .collect()
            }
        }
    }
}
