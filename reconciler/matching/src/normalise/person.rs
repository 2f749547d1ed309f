//! Parses names of people and institutions from any combination of columns.

use rustc_hash::FxHashMap;

use super::nicknames;
use super::organisation::names_an_institution;
use super::text::{folded, is_unknown};

/// The name columns of a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a> {
    /// The whole name in one column.
    pub full: &'a str,
    /// The given name.
    pub given: &'a str,
    /// The surname.
    pub surname: &'a str,
    /// The institution.
    pub organisation: &'a str,
    /// The declared kind: person or institution.
    pub kind: &'a str,
}

/// A parsed name; unknown parts are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// Given names without middle initials.
    pub given: String,
    /// The surname, with its particles joined.
    pub surname: String,
    /// `jr` or `sr`.
    pub generation: String,
    /// The institution, as written.
    pub organisation: String,
}

/// How often words occur as given names and as surnames: it distinguishes `Roy Martin` from `Martin Roy`.
#[derive(Debug, Clone, Default)]
pub struct Lexicon {
    counts: FxHashMap<String, (u32, u32)>,
}

impl Lexicon {
    /// Counts a record with separate columns for given name and surname.
    pub fn learn(&mut self, written: &Written) {
        let (given, surname) = match written.full.split_once(',') {
            Some((surname, given)) if written.given.is_empty() => (given, surname),
            _ => (written.given, written.surname),
        };
        if given.is_empty() || surname.is_empty() {
            return;
        }
        for word in folded(given).split(' ').filter(|word| word.len() > 1) {
            self.counts.entry(word.to_owned()).or_default().0 += 1;
        }
        for word in folded(surname).split(' ').filter(|word| word.len() > 1) {
            self.counts.entry(word.to_owned()).or_default().1 += 1;
        }
    }

    /// Adds the counts of another lexicon.
    pub fn add(&mut self, other: Self) {
        for (word, (given, surname)) in other.counts {
            let count = self.counts.entry(word).or_default();
            count.0 += given;
            count.1 += surname;
        }
    }

    /// Words and counts in order, without the rarest.
    pub fn entries(&self, at_least: u32) -> Vec<(String, u32, u32)> {
        let mut entries: Vec<_> = self
            .counts
            .iter()
            .filter(|(_, (given, surname))| given + surname >= at_least)
            .map(|(word, (given, surname))| (word.clone(), *given, *surname))
            .collect();
        entries.sort();
        entries
    }

    /// The lexicon with these entries.
    pub fn of(entries: impl IntoIterator<Item = (String, u32, u32)>) -> Self {
        let counts = entries
            .into_iter()
            .map(|(word, given, surname)| (word, (given, surname)))
            .collect();
        Self { counts }
    }

    /// The log ratio of a word's probabilities as a given name and as a surname.
    fn leaning(&self, word: &str) -> f32 {
        let (given, surname) = self.counts.get(word).copied().unwrap_or_default();
        let table = if nicknames::is_given(word) { 3.0 } else { 0.0 };
        ((given as f32 + table + 0.5) / (surname as f32 + 0.5)).ln()
    }
}

const TITLES: &[&str] = &[
    "m", "mr", "mme", "mlle", "ms", "mrs", "miss", "dr", "dre", "me", "prof", "rev", "pere",
    "soeur", "frere", "sir", "madame", "monsieur", "mister", "docteur", "doctor", "mgr", "hon",
    "abbe",
];

const PARTICLES: &[&str] = &[
    "de", "la", "le", "les", "du", "des", "d", "l", "van", "von", "der", "den", "ter", "ten", "di",
    "da", "del", "della", "dos", "das", "el", "al", "mac", "mc", "o", "saint", "st", "ste",
    "sainte", "ben", "bin", "abu",
];

impl Party {
    /// Parses a name.
    pub fn of(written: &Written, lexicon: &Lexicon) -> Self {
        let mut party = Self::default();
        let kind = folded(written.kind);
        let said_person = matches!(
            kind.as_str(),
            "person" | "personne" | "individual" | "individu" | "particulier" | "residential"
        );
        let said_institution = matches!(
            kind.as_str(),
            "company"
                | "organisation"
                | "organization"
                | "institution"
                | "entreprise"
                | "business"
                | "corporate"
        );
        let organisation = written.organisation.trim();
        if !is_unknown(&folded(organisation)) {
            organisation.clone_into(&mut party.organisation);
        }
        let given = words_of(written.given);
        let surname = words_of(written.surname);
        if !given.is_empty() || !surname.is_empty() {
            let sole = given.is_empty() && party.organisation.is_empty();
            if sole
                && (is_institution(&surname, said_person)
                    || (said_institution && surname.len() > 1))
            {
                written.surname.trim().clone_into(&mut party.organisation);
            } else {
                party.set(given, surname);
            }
            return party;
        }
        let full = words_of(written.full);
        if full.is_empty() {
            return party;
        }
        let comma = written.full.split_once(',');
        let bare = party.organisation.is_empty();
        if bare && (is_institution(&full, said_person) || (said_institution && comma.is_none())) {
            written.full.trim().clone_into(&mut party.organisation);
        } else if let Some((surname, given)) = comma {
            party.set(words_of(given), words_of(surname));
        } else {
            party.set_in_doubt(full, lexicon);
        }
        party
    }

    fn set(&mut self, mut given: Vec<String>, mut surname: Vec<String>) {
        for list in [&mut given, &mut surname] {
            self.take_generation(list);
            if list.len() > 1 && TITLES.contains(&list[0].as_str()) {
                list.remove(0);
            }
        }
        // A middle initial is not part of the usual name.
        while given.len() > 1
            && given.last().is_some_and(|word| word.chars().count() == 1)
            && given[0].chars().count() > 1
        {
            given.pop();
        }
        if !given.is_empty() && given.iter().all(|word| word.chars().count() == 1) {
            given = vec![given.concat()];
        }
        self.given = given.join(" ");
        self.surname = joined(&surname);
    }

    fn take_generation(&mut self, words: &mut Vec<String>) {
        if words.len() < 2 {
            return;
        }
        let said = match words.last().map(String::as_str) {
            Some("jr" | "junior" | "fils" | "ii" | "iii" | "iv") => "jr",
            Some("sr" | "senior") => "sr",
            _ => return,
        };
        said.clone_into(&mut self.generation);
        words.pop();
    }

    /// `First Last` or `Last First`: decided by the lexicon and the usual order.
    fn set_in_doubt(&mut self, mut words: Vec<String>, lexicon: &Lexicon) {
        self.take_generation(&mut words);
        while words.len() > 2 && TITLES.contains(&words[0].as_str())
            || words.len() == 2 && TITLES.contains(&words[0].as_str()) && words[0].len() > 1
        {
            words.remove(0);
        }
        if words.len() == 1 {
            self.surname = words.remove(0);
            return;
        }
        let initials = words
            .iter()
            .take_while(|word| word.chars().count() == 1)
            .count();
        if initials > 1 && initials < words.len() {
            // `J.-F. Roy`
            let surname = words.split_off(initials);
            self.set(words, surname);
            return;
        }
        let middle = (1..words.len() - 1).find(|at| words[*at].chars().count() == 1);
        if let Some(at) = middle.filter(|_| words.len() > 2) {
            // `Jean B Roy`: the initial separates given name and surname.
            let surname = words.split_off(at + 1);
            words.pop();
            self.set(words, surname);
            return;
        }
        if words.len() > 2 && words.last().is_some_and(|word| word.chars().count() == 1) {
            // `Roy Jean B`
            words.pop();
            let given = words.split_off(words.len() - 1);
            self.set(given, words);
            return;
        }
        let (at, turned) = parting(&words, lexicon);
        let second = words.split_off(at);
        if turned {
            self.set(second, words)
        } else {
            self.set(words, second)
        }
    }
}

/// Where the given names end, and whether the surname comes first.
fn parting(words: &[String], lexicon: &Lexicon) -> (usize, bool) {
    let leaning: Vec<f32> = words
        .iter()
        .map(|word| match word.as_str() {
            particle if PARTICLES.contains(&particle) => -3.0,
            other => lexicon.leaning(other).clamp(-6.0, 6.0),
        })
        .collect();
    let mut best = (f32::MIN, 1, false);
    for at in 1..words.len() {
        let (front, back) = (
            leaning[..at].iter().sum::<f32>(),
            leaning[at..].iter().sum::<f32>(),
        );
        // Most people have one given name, and most forms ask for it first.
        let usual = front - back + 1.5 - 0.7 * (at as f32 - 1.0);
        let turned = back - front - 0.7 * ((words.len() - at) as f32 - 1.0);
        for (score, is_turned) in [(usual, false), (turned, true)] {
            if score > best.0 {
                best = (score, at, is_turned);
            }
        }
    }
    (best.1, best.2)
}

fn words_of(text: &str) -> Vec<String> {
    let spelled = folded(text);
    if is_unknown(&spelled) && spelled.len() != 1 {
        return Vec::new();
    }
    spelled
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn is_institution(words: &[String], said_person: bool) -> bool {
    !said_person && words.len() > 1 && words.iter().any(|word| names_an_institution(word))
}

/// Surnames with their particles joined: `de la rosa` and `Delarosa` are one.
fn joined(words: &[String]) -> String {
    let mut form = String::new();
    let mut open = false;
    for word in words {
        if !form.is_empty() && !open {
            form.push(' ');
        }
        let word = match word.as_str() {
            "st" | "ste" | "sainte" => "saint",
            other => other,
        };
        form.push_str(word);
        open = PARTICLES.contains(&word);
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        let entries = [
            ("roy", 1, 60),
            ("martin", 9, 80),
            ("luc", 50, 0),
            ("tremblay", 0, 90),
            ("francois", 70, 2),
            ("jean", 90, 2),
        ];
        Lexicon::of(entries.map(|(word, given, surname)| (word.to_owned(), given, surname)))
    }

    #[test]
    fn names_in_columns() {
        let cases = [
            (
                ("", "Jean", "Tremblay", "", ""),
                ("jean", "tremblay", "", ""),
            ),
            (
                ("Tremblay, Jean F.", "", "", "", ""),
                ("jean", "tremblay", "", ""),
            ),
            (
                ("Jean Tremblay", "", "", "", ""),
                ("jean", "tremblay", "", ""),
            ),
            (
                ("TREMBLAY JEAN", "", "", "", ""),
                ("jean", "tremblay", "", ""),
            ),
            (
                ("Jean-François Tremblay", "", "", "", ""),
                ("jean francois", "tremblay", "", ""),
            ),
            (
                ("Tremblay Jean-François", "", "", "", ""),
                ("jean francois", "tremblay", "", ""),
            ),
            (
                ("J.-F. Tremblay", "", "", "", "person"),
                ("jf", "tremblay", "", ""),
            ),
            (
                ("M. Jean Tremblay", "", "", "", ""),
                ("jean", "tremblay", "", ""),
            ),
            (("Jean B. Roy", "", "", "", ""), ("jean", "roy", "", "")),
            (
                ("", "Luc", "St-Pierre", "", ""),
                ("luc", "saintpierre", "", ""),
            ),
            (
                ("", "Luc", "de la Rosa", "", ""),
                ("luc", "delarosa", "", ""),
            ),
            (
                ("", "Luc", "Tremblay-Roy", "", ""),
                ("luc", "tremblay roy", "", ""),
            ),
            (("", "Luc", "Roy Jr", "", ""), ("luc", "roy", "jr", "")),
            (("", "Luc", "Roy fils", "", ""), ("luc", "roy", "jr", "")),
            (
                ("École Saint-Luc", "", "", "", ""),
                ("", "", "", "École Saint-Luc"),
            ),
            (
                ("", "", "Église Saint-Luc", "", ""),
                ("", "", "", "Église Saint-Luc"),
            ),
            (
                ("Luc Roy", "", "", "École X", ""),
                ("luc", "roy", "", "École X"),
            ),
            (("", "", "Roy", "", ""), ("", "roy", "", "")),
            (("Roy", "", "", "", ""), ("", "roy", "", "")),
            (("", "", "", "", ""), ("", "", "", "")),
        ];
        for ((full, given, surname, organisation, kind), expected) in cases {
            let written = Written {
                full,
                given,
                surname,
                organisation,
                kind,
            };
            let found = Party::of(&written, &lexicon());
            let found = (
                found.given.as_str(),
                found.surname.as_str(),
                found.generation.as_str(),
                found.organisation.as_str(),
            );
            assert_eq!(found, expected, "{written:?}");
        }
    }
}
