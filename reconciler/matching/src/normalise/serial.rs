//! Serial numbers, and names of makes and models.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::text::{bounded, folded, is_unknown};

/// Letters and digits of a serial number in upper case, without prefixes such as `SN`. `None` if fewer than
/// three are left, or one is repeated.
pub fn serial(text: &str) -> Option<String> {
    if is_unknown(&folded(text)) {
        return None;
    }
    let mut form: String = bounded(text)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    form.make_ascii_uppercase();
    form = unannounced(form);
    // Within a run of digits O and I are 0 and 1; a leading letter may be part of the number.
    let digits = form.bytes().filter(u8::is_ascii_digit).count();
    if digits * 2 >= form.len() {
        let put_right = |(at, letter): (usize, char)| match letter {
            'O' if at > 0 => '0',
            'I' | 'L' if at > 0 => '1',
            other => other,
        };
        // The correction may reveal another prefix: `SN O123`.
        form = unannounced(form.chars().enumerate().map(put_right).collect());
    }
    let first = form.chars().next()?;
    (form.len() >= 3 && digits > 0 && form.chars().any(|c| c != first)).then_some(form)
}

/// A number without its prefix words.
fn unannounced(mut form: String) -> String {
    let marks = ["SERIAL", "SERIE", "NUMERO", "SN", "NO"];
    let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
    while let Some(rest) = marks
        .iter()
        .find_map(|mark| form.strip_prefix(mark).filter(|rest| is_number(rest)))
    {
        form = rest.to_owned();
    }
    form
}

/// Piano makers and the spellings of their names; a module may add its own.
const MAKERS: &[(&str, &[&str])] = &[
    ("baldwin", &["baldwin piano", "d h baldwin"]),
    ("bechstein", &["c bechstein", "c. bechstein"]),
    ("bluthner", &["bluethner", "julius bluthner"]),
    ("bosendorfer", &["boesendorfer"]),
    ("chickering", &["chickering and sons", "chickering sons"]),
    ("essex", &[]),
    ("everett", &[]),
    ("fazioli", &[]),
    ("grotrian", &["grotrian steinweg"]),
    ("hamilton", &[]),
    (
        "heintzman",
        &["heintzman and co", "heintzman co", "gerhard heintzman"],
    ),
    ("kawai", &["shigeru kawai", "k kawai"]),
    ("knabe", &["wm knabe", "william knabe", "knabe and co"]),
    ("lesage", &["a lesage"]),
    ("mason and hamlin", &["mason hamlin"]),
    ("petrof", &[]),
    ("sauter", &[]),
    ("schimmel", &["wilhelm schimmel"]),
    ("seiler", &["ed seiler"]),
    ("sherlock manning", &["sherlockmanning"]),
    ("sohmer", &["sohmer and co"]),
    (
        "steinway",
        &[
            "steinway and sons",
            "steinway sons",
            "steinway fils",
            "steinway et fils",
        ],
    ),
    ("wurlitzer", &[]),
    ("yamaha", &["nippon gakki"]),
    ("young chang", &["youngchang"]),
];

/// The canonical name of a make: from a module's aliases, else from the table, else its words without
/// `pianos` and the like.
pub fn make(text: &str, aliases: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let spelled = match text.contains('&') {
        true => folded(&text.replace('&', " and ")),
        false => folded(text),
    };
    if is_unknown(&spelled) {
        return None;
    }
    let known = |form: &String| {
        let mut own = aliases.iter();
        let own = own.find(|(main, others)| *main == form || others.contains(form));
        let own = own.map(|(main, _)| main.as_str());
        own.or_else(|| known_maker(form)).map(str::to_owned)
    };
    if let Some(main) = known(&spelled) {
        return Some(main);
    }
    let plain = without(spelled, says_nothing);
    let bound = without(plain.clone(), |word| {
        matches!(word, "and" | "et" | "sons" | "fils")
    });
    let found = known(&plain).or_else(|| known(&bound));
    found.or_else(|| (!is_unknown(&bound)).then_some(bound))
}

/// Whether a word of a make is generic.
fn says_nothing(word: &str) -> bool {
    matches!(
        word,
        "piano" | "pianos" | "inc" | "ltd" | "ltee" | "company" | "co" | "cie" | "the" | "corp"
    )
}

/// A text without some of its words; unchanged if none would be left.
fn without(text: String, is_left_out: impl Fn(&str) -> bool) -> String {
    let words: Vec<&str> = text.split(' ').filter(|word| !is_left_out(word)).collect();
    match words.is_empty() {
        true => text,
        false => words.join(" "),
    }
}

fn known_maker(form: &str) -> Option<&'static str> {
    static KNOWN: LazyLock<FxHashMap<&str, &str>> = LazyLock::new(|| {
        // If two makers share a name, the first one wins.
        let named = MAKERS.iter().rev().flat_map(|(main, others)| {
            let others = others.iter().map(|other| (*other, *main));
            others.chain([(*main, *main)])
        });
        named.collect()
    });
    KNOWN.get(form).copied()
}

/// A model's letters and digits, without generic words.
pub fn model(text: &str) -> Option<String> {
    let spelled = folded(text);
    let says_nothing =
        |word: &str| matches!(word, "model" | "modele" | "type" | "series" | "serie");
    let kept: String = spelled
        .split(' ')
        .filter(|word| !says_nothing(word))
        .collect();
    (!is_unknown(&kept) && !says_nothing(&kept)).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials() {
        let cases = [
            ("J 123-456", Some("J123456")),
            ("#6223706", Some("6223706")),
            ("SN 6223706", Some("6223706")),
            ("SN O123-456", Some("0123456")),
            ("No. 6223706", Some("6223706")),
            ("62237O6", Some("6223706")),
            ("j123456 ", Some("J123456")),
            ("n/a", None),
            ("?", None),
            ("illisible", None),
            ("0000000", None),
        ];
        for (text, form) in cases {
            assert_eq!(serial(text).as_deref(), form, "{text}");
        }
    }

    #[test]
    fn makes() {
        let own = BTreeMap::from([("acme".to_owned(), vec!["acme works".to_owned()])]);
        let cases = [
            ("Steinway & Sons", "steinway"),
            ("STEINWAY", "steinway"),
            ("Bösendorfer", "bosendorfer"),
            ("Young-Chang", "young chang"),
            ("Mason & Hamlin", "mason and hamlin"),
            ("Acme Works", "acme"),
            ("Unheard Pianos Inc.", "unheard"),
        ];
        for (text, form) in cases {
            assert_eq!(make(text, &own).as_deref(), Some(form), "{text}");
        }
    }
}
