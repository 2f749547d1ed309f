//! Serial numbers and the names of makes.

use super::text::{bounded, folded, is_unknown};

/// Letters and digits of a serial number in upper case, without what only announces it. Fewer than three, or one
/// repeated, is none.
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
    // Within a run of digits O and I are 0 and 1; a letter in front may be part of the number.
    let digits = form.bytes().filter(u8::is_ascii_digit).count();
    if digits * 2 >= form.len() {
        let put_right = |(at, letter): (usize, char)| match letter {
            'O' if at > 0 => '0',
            'I' | 'L' if at > 0 => '1',
            other => other,
        };
        // What was put right may only now be seen to follow an announcement: `SN O123`.
        form = unannounced(form.chars().enumerate().map(put_right).collect());
    }
    let first = form.chars().next()?;
    (form.len() >= 3 && digits > 0 && form.chars().any(|c| c != first)).then_some(form)
}

/// A number without the words before it.
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

/// Makers of pianos under the names they are written with; a module may add its own.
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

/// A make by its one name: what a module's own aliases say, else the table, else its words without `pianos` and the like.
pub fn make(text: &str, aliases: &[(String, Vec<String>)]) -> Option<String> {
    let spelled = folded(&text.replace('&', " and "));
    if is_unknown(&spelled) {
        return None;
    }
    let words: Vec<&str> = spelled
        .split(' ')
        .filter(|word| {
            !matches!(
                *word,
                "piano"
                    | "pianos"
                    | "inc"
                    | "ltd"
                    | "ltee"
                    | "company"
                    | "co"
                    | "cie"
                    | "the"
                    | "corp"
            )
        })
        .collect();
    let plain = if words.is_empty() {
        spelled.clone()
    } else {
        words.join(" ")
    };
    let bound: Vec<&str> = plain
        .split(' ')
        .filter(|word| !matches!(*word, "and" | "et" | "sons" | "fils"))
        .collect();
    let bound = if bound.is_empty() {
        plain.clone()
    } else {
        bound.join(" ")
    };
    for form in [&spelled, &plain, &bound] {
        if let Some((main, _)) = aliases
            .iter()
            .find(|(main, others)| main == form || others.contains(form))
        {
            return Some(main.clone());
        }
        let known =
            |(main, others): &&(&str, &[&str])| main == form || others.contains(&form.as_str());
        if let Some((main, _)) = MAKERS.iter().find(known) {
            return Some((*main).to_owned());
        }
    }
    (!is_unknown(&bound)).then_some(bound)
}

/// A model's letters and digits, without words that every model has.
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
        let own = vec![("acme".to_owned(), vec!["acme works".to_owned()])];
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
