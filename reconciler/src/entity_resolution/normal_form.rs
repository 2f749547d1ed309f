//! Normal forms: values are compared in them and stored as they came.

use matching::normalise::folded;
use serde::Deserialize;

/// How a value is normalised before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normal {
    /// The text, without blanks around it.
    #[default]
    Exact,
    /// The text without letter case, accents, ligatures and runs of blanks or punctuation.
    Text,
    /// An e-mail address in lower case; a text without `@` and a dot has no normal form.
    Email,
    /// E.164 by the phonenumber crate; a number without a country code is read as Canadian.
    Phone,
    /// Letters and digits only, in upper case; fewer than four, or one repeated, is not a serial number.
    Serial,
}

impl Normal {
    /// The normal form of a text, or `None` if it cannot identify anything.
    pub fn of(self, text: &str) -> Option<String> {
        let text = text.trim();
        let form = match self {
            Self::Exact => text.to_owned(),
            Self::Text => folded(text),
            Self::Email => email(text)?,
            Self::Phone => phone(text)?,
            Self::Serial => serial(text)?,
        };
        (!form.is_empty()).then_some(form)
    }
}

fn email(text: &str) -> Option<String> {
    let form = text.to_lowercase();
    let (local, domain) = form.split_once('@')?;
    let whole = !local.is_empty() && domain.contains('.') && !domain.contains('@');
    (whole && !form.contains(char::is_whitespace)).then_some(form)
}

fn phone(text: &str) -> Option<String> {
    // An extension belongs to a desk, not to the subscriber.
    let number = text.to_lowercase();
    let number = ["poste", "ext", "x", "#"]
        .iter()
        .fold(number.as_str(), |number, mark| {
            number.split_once(mark).map_or(number, |(before, _)| before)
        });
    // A number with its own country code is read as it is.
    let home = (!number.trim_start().starts_with('+')).then_some(phonenumber::country::CA);
    let parsed = phonenumber::parse(home, number).ok()?;
    phonenumber::is_valid(&parsed)
        .then(|| parsed.format().mode(phonenumber::Mode::E164).to_string())
}

fn serial(text: &str) -> Option<String> {
    let form: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let first = form.chars().next()?;
    (form.len() >= 4 && form.chars().any(|c| c != first)).then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        let cases = [
            (Normal::Exact, " a B ", Some("a B")),
            (Normal::Exact, "  ", None),
            (
                Normal::Text,
                "École  Saint-Cœur, Inc.",
                Some("ecole saint coeur inc"),
            ),
            (
                Normal::Text,
                "E\u{301}COLE\u{a0}SAINT CŒUR INC",
                Some("ecole saint coeur inc"),
            ),
            (Normal::Text, "İstanbul", Some("istanbul")),
            (Normal::Text, "—", None),
            (
                Normal::Email,
                " Anne.Roy@Example.ORG ",
                Some("anne.roy@example.org"),
            ),
            (Normal::Email, "anne.roy", None),
            (Normal::Email, "a b@example.org", None),
            (Normal::Email, "@example.org", None),
            (Normal::Phone, "(514) 555-0123", Some("+15145550123")),
            (Normal::Phone, "514-842-9951", Some("+15148429951")),
            (Normal::Phone, "+1 514 842 9951", Some("+15148429951")),
            (Normal::Phone, "5148429951 poste 12", Some("+15148429951")),
            (Normal::Phone, "514 842-9951 ext. 4", Some("+15148429951")),
            (Normal::Phone, "+33 1 42 68 53 00", Some("+33142685300")),
            (Normal::Phone, "123", None),
            (Normal::Serial, "J 123-456", Some("J123456")),
            (Normal::Serial, "n/a", None),
            (Normal::Serial, "0000000", None),
        ];
        for (normal, text, form) in cases {
            assert_eq!(normal.of(text).as_deref(), form, "{normal:?} of {text:?}");
        }
    }
}
