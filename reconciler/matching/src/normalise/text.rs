//! Folds text for comparison: letter case, accents, ligatures and punctuation are removed.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The maximum number of bytes of a value that are read; no real name, address or number is longer.
pub const LIMIT: usize = 1024;

/// The first `LIMIT` bytes of a text at most.
pub fn bounded(text: &str) -> &str {
    if text.len() <= LIMIT {
        return text;
    }
    let mut end = LIMIT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Words in lower case without accents, separated by one blank. Apostrophes and dots within initials separate
/// words too.
pub fn folded(text: &str) -> String {
    let text = bounded(text);
    let mut form = match text.is_ascii() {
        true => folded_ascii(text),
        false => folded_foreign(text),
    };
    // Some single characters fold to whole sentences.
    form.truncate(bounded(&form).len());
    while form.ends_with(' ') {
        form.pop();
    }
    form
}

fn folded_foreign(text: &str) -> String {
    let mut form = String::with_capacity(text.len());
    let repaired = super::mojibake::repaired(text);
    for letter in repaired
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
    {
        match letter {
            'œ' => form.push_str("oe"),
            'æ' => form.push_str("ae"),
            'ß' => form.push_str("ss"),
            'ø' => form.push('o'),
            'ł' => form.push('l'),
            'đ' => form.push('d'),
            'ı' => form.push('i'),
            c if is_combining_mark(c) => {}
            c => push(&mut form, c),
        }
    }
    form
}

fn folded_ascii(text: &str) -> String {
    let mut form = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            form.push(byte.to_ascii_lowercase());
        } else if form.last().is_some_and(|last| *last != b' ') {
            form.push(b' ');
        }
    }
    // Letters, digits and blanks.
    String::from_utf8(form).unwrap_or_default()
}

fn push(form: &mut String, letter: char) {
    if letter.is_alphanumeric() {
        form.push(letter);
    } else if !form.is_empty() && !form.ends_with(' ') {
        form.push(' ');
    }
}

/// Whether a folded value means unknown.
pub fn is_unknown(folded: &str) -> bool {
    matches!(
        folded,
        "" | "n a"
            | "na"
            | "none"
            | "null"
            | "nil"
            | "unknown"
            | "inconnu"
            | "inconnue"
            | "nan"
            | "illisible"
            | "illegible"
            | "aucun"
            | "aucune"
            | "non disponible"
            | "not available"
            | "a venir"
            | "tbd"
            | "nd"
            | "n d"
            | "sans objet"
            | "x"
            | "xx"
            | "test"
    )
}

/// The digits of a text.
pub fn digits(text: &str) -> String {
    bounded(text).chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_without_case_and_accents() {
        let cases = [
            ("École  Saint-Cœur, Inc.", "ecole saint coeur inc"),
            ("E\u{301}COLE\u{a0}SAINT CŒUR", "ecole saint coeur"),
            ("İstanbul", "istanbul"),
            ("J.-F.", "j f"),
            ("—", ""),
            ("  a  ", "a"),
            ("Frédérique", "frederique"),
            ("FrÃ©dÃ©rique", "frederique"),
            ("Straße Łódź", "strasse lodz"),
            ("שלום עולם", "שלום עולם"),
        ];
        for (text, form) in cases {
            assert_eq!(folded(text), form, "{text:?}");
        }
    }

    #[test]
    fn a_hostile_text_is_cut_at_a_letter() {
        let long = "é".repeat(5_000_000);
        assert_eq!(folded(&long).len(), LIMIT / 2);
        let marks = format!("a{}", "\u{301}".repeat(5_000_000));
        assert_eq!(folded(&marks), "a");
    }
}
