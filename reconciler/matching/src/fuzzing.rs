//! Targets for fuzzing with any text: `tests/fuzz` runs them without end, guided by coverage; the tests below
//! run them briefly.

use std::collections::BTreeMap;

use crate::base::Base;
use crate::blocking::Key;
use crate::compare::{Comparisons, Facts};
use crate::model::{Model, Scorer};
use crate::normalise::{
    Door, LIMIT, Lexicon, Organisation, Party, Written, city, email, folded, make, model, phone,
    postal_code, serial, sound,
};
use crate::profile::Layout;
use crate::spec::Spec;

/// The maximum ratio of the length of a normal form to its text: short words stand for long ones, `st` for
/// `saint`.
const LONGEST: usize = 8 * LIMIT;
/// Truncation may split a word, so idempotence is checked only for shorter texts.
const WHOLE: usize = LIMIT / 4;

/// Every normal form of a text is bounded and idempotent.
pub fn forms(text: &str) {
    let address = |text: &str| email(text).map(|found| found.address());
    let some = |form: fn(&str) -> String| move |text: &str| Some(form(text));
    stable("folded", text, &some(folded));
    stable("city", text, &some(city));
    stable("email", text, &address);
    stable("phone", text, &phone);
    stable("postal_code", text, &postal_code);
    stable("serial", text, &serial);
    stable("make", text, &|text| make(text, &BTreeMap::new()));
    stable("model", text, &model);
    parts(text);
}

fn stable(name: &str, text: &str, form: &dyn Fn(&str) -> Option<String>) {
    let Some(once) = form(text) else { return };
    assert!(once.len() <= LONGEST, "{name} of {text:?}: {once:?}");
    if text.len() <= WHOLE && !once.is_empty() {
        assert_eq!(
            form(&once).as_deref(),
            Some(&*once),
            "{name} of {text:?} twice"
        );
    }
}

/// The functions that parse a text.
fn parts(text: &str) {
    let lexicon = Lexicon::default();
    let column = |place: usize, at: usize| if place == at { text } else { "" };
    for place in 0..5 {
        let written = Written {
            full: column(place, 0),
            given: column(place, 1),
            surname: if place == 1 { text } else { column(place, 2) },
            organisation: column(place, 3),
            kind: column(place, 4),
        };
        let party = Party::of(&written, &lexicon);
        let parts = [&party.given, &party.surname, &party.generation];
        assert!(parts.iter().all(|part| part.len() <= LONGEST), "{party:?}");
    }
    let found = Organisation::of(text);
    let lists = [&found.words, &found.sort, &found.proper, &found.branch];
    for words in lists {
        assert!(words.join(" ").len() <= LONGEST, "{found:?}");
    }
    let door = Door::of(text);
    let parts = [&door.civic, &door.street, &door.direction, &door.unit];
    assert!(parts.iter().all(|part| part.len() <= LONGEST), "{door:?}");
    assert!(sound(&folded(text)).len() <= LONGEST);
    if let Some(found) = email(text) {
        let _ = found.given("tremblay");
    }
}

/// A text is either rejected or a specification whose conditions and keys can be evaluated.
pub fn spec_file(text: &str) {
    if let Ok(spec) = Spec::parse(text) {
        let _ = prepared(&spec);
    }
}

/// A text is either rejected or a model that can score any two records.
pub fn model_file(text: &str) {
    let Ok(model) = serde_norway::from_str::<Model>(text) else {
        return;
    };
    let Some((layout, comparisons, base)) = prepared(&model.spec) else {
        return;
    };
    if model.check(&comparisons).is_err() {
        return;
    }
    let facts = Facts::of(&base, comparisons.conditions());
    let scorer = Scorer::new(&model, &comparisons, &layout, &base);
    for other in 1..base.records {
        let score = scorer
            .sum(&comparisons.reach(&base, &facts, 0, other))
            .score();
        assert!(!score.is_nan(), "a pair has no score");
    }
}

/// A few records under a specification.
fn prepared(spec: &Spec) -> Option<(Layout, Comparisons, Base)> {
    const VALUES: [&str; 4] = ["", "Geneviève Lachapelle", "514 271-8845", "a@b.ca"];
    let layout = Layout::of(spec);
    let comparisons = Comparisons::compile(spec, &layout).ok()?;
    let keys = Key::compile(spec, &layout).ok()?;
    let lexicon = Lexicon::default();
    let profiles = (0..VALUES.len()).map(|record| {
        let columns = 0..layout.columns.len();
        let values: Vec<&str> = columns
            .map(|column| VALUES[(record + column * record) % VALUES.len()])
            .collect();
        layout.profile(&values, &lexicon)
    });
    let profiles: Vec<_> = profiles.collect();
    let mut base = Base::new(&layout);
    base.extend(&profiles);
    base.seal();
    for key in &keys {
        let _ = key.texts(&base, 1);
    }
    Some((layout, comparisons, base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Links;
    use crate::tests::records::{SPEC, matched, rows, written};

    /// A pseudo-random number, the same in every run.
    fn mixed(number: &mut u64) -> u64 {
        *number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (*number ^ *number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word ^ word >> 27
    }

    const SEEDS: [&str; 12] = [
        "Dr Jean-François St-Onge, fils",
        "LACHAPELLE, Geneviève (mère)",
        "École N.-D. de la Paix inc. - pavillon B",
        "mailto:J.Tremblay+piano@Gmail.com",
        "+1 (514) 271-8845 poste 12",
        "011 33 1 42 68 53 00",
        "4417-B, boul. St-Joseph Est, app. 12",
        "h2h 2c7",
        "Ville de Mt-St-Hilaire",
        "SN: O123-456",
        "Mason & Hamlin piano co.",
        "Model U-1 series",
    ];
    const WORDS: [&str; 20] = [
        "SN", "no", "st", "de la", "inc", "mo del", "&", " and ", "sons", "@", "+", ".", "mailto:",
        "\u{301}", "\u{202e}", "Ã©", "ﬃ", "İ", "0", "O",
    ];

    /// Mutates a seed: some letters lost, doubled or replaced by a word.
    fn mutated(round: u64, seed: &str, words: &[&str]) -> String {
        let mut random = round;
        let mut letters: Vec<char> = seed.chars().collect();
        for _ in 0..=mixed(&mut random) % 5 {
            let at = (mixed(&mut random) % (letters.len() as u64 + 1)) as usize;
            let end = (at + (mixed(&mut random) % 12) as usize).min(letters.len());
            match mixed(&mut random) % 3 {
                0 => drop(letters.drain(at..end)),
                1 => {
                    let part = letters[at..end].to_vec();
                    letters.splice(at..at, part);
                }
                _ => {
                    let word = words[(mixed(&mut random) % words.len() as u64) as usize];
                    letters.splice(at..at, word.chars());
                }
            }
        }
        letters.into_iter().collect()
    }

    fn feed(rounds: u64, seeds: &[&str], words: &[&str], target: impl Fn(&str)) {
        for round in 0..rounds {
            // Printed if the target panics.
            println!("round {round}");
            target(&mutated(
                round,
                seeds[(round % seeds.len() as u64) as usize],
                words,
            ));
        }
    }

    #[test]
    fn any_text_has_stable_and_bounded_forms() {
        // Inputs that fuzzing once found.
        for text in ["11144LLLLLLLL", "0110113os33os3", ")@0, 4ul|S,\0\n<<"] {
            forms(text);
        }
        feed(20_000, &SEEDS, &WORDS, forms);
    }

    #[test]
    fn any_text_is_a_specification_or_refused() {
        const PARTS: [&str; 12] = [
            "prefix(name, 99999999999999999999)",
            "\n  - { key: [name] }",
            "frequency: phone",
            "-1",
            "beside: equal(name)",
            "[",
            "&a *a",
            "null",
            "1e999",
            "name.given",
            "others(phone, name)",
            "against: true",
        ];
        feed(2_000, &[SPEC], &PARTS, spec_file);
    }

    #[test]
    fn any_text_is_a_model_or_refused() {
        let outcome = matched(&written(&rows(), "fuzzed"), &Links::default());
        let mut small = outcome.model;
        small.lexicon.clear();
        for population in &mut small.populations {
            population
                .frequencies
                .values_mut()
                .for_each(|known| known.values.clear());
        }
        let seed = serde_norway::to_string(&small).expect("YAML");
        model_file(&seed);
        const PARTS: [&str; 9] = [
            "0", "-1", ".nan", ".inf", "1e-400", "1e308", "null", "\n", "- ",
        ];
        feed(2_000, &[&seed], &PARTS, model_file);
    }

    #[test]
    fn a_model_that_does_not_fit_is_refused() {
        let outcome = matched(&written(&rows(), "fits"), &Links::default());
        let comparisons = &outcome.batch.comparisons;
        assert_eq!(outcome.model.check(comparisons), Ok(()));
        type Spoil = fn(&mut Model);
        let spoilt: [(&str, Spoil); 6] = [
            ("a version to come", |model| model.version += 1),
            ("a population less", |model| model.populations.clear()),
            ("a comparison less", |model| {
                drop(model.populations[0].comparisons.pop());
            }),
            ("a level less", |model| {
                drop(model.populations[0].comparisons[0].levels.pop());
            }),
            ("a share of nothing", |model| {
                model.populations[0].comparisons[0].levels[0].u = 0.0;
            }),
            ("no number", |model| model.populations[0].shift = f64::NAN),
        ];
        for (label, spoil) in spoilt {
            let mut model = outcome.model.clone();
            spoil(&mut model);
            assert!(model.check(comparisons).is_err(), "{label}");
        }
    }
}
