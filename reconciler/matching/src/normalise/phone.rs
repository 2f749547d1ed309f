//! Telephone numbers in E.164, without extensions.

use super::text::bounded;

/// Words and signs before an extension.
const EXTENSIONS: [&str; 7] = ["poste", "post", "extension", "ext", "#", "x", "p."];

/// A number in E.164; a local number of seven digits as `~` and its digits; `None` if it cannot be a number.
///
/// A number without a country code is read as North American, since most are.
pub fn phone(text: &str) -> Option<String> {
    let text = bounded(text);
    let number = subscriber(text);
    let plus = number.trim_start().starts_with('+');
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let digits = match plus {
        true => digits.as_str(),
        // The result must be idempotent.
        false => digits.trim_start_matches("011"),
    };
    let home = match (digits.len(), plus) {
        (11, _) if digits.starts_with('1') => &digits[1..],
        (10, false) => digits,
        (7, false) => return (!monotone(digits)).then(|| format!("~{digits}")),
        _ => return foreign(number),
    };
    (!monotone(home)).then(|| format!("+1{home}"))
}

/// The last seven digits of a normal form.
pub fn local_part(form: &str) -> &str {
    &form[form.len().saturating_sub(7)..]
}

fn subscriber(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_mark = |at: &usize| {
        let mut marks = EXTENSIONS.iter().map(|mark| mark.as_bytes());
        marks.any(|mark| {
            let there = bytes[*at..].get(..mark.len());
            there.is_some_and(|there| there.eq_ignore_ascii_case(mark))
        })
    };
    let may_be_mark = |at: &usize| bytes[*at] == b'#' || bytes[*at].is_ascii_alphabetic();
    let end = (0..bytes.len()).find(|at| may_be_mark(at) && is_mark(at));
    &text[..end.unwrap_or(text.len())]
}

/// Whether one digit is repeated throughout: filler for required form fields.
fn monotone(digits: &str) -> bool {
    let tail = &digits.as_bytes()[digits.len().saturating_sub(7)..];
    tail.iter().all(|digit| *digit == tail[0])
}

/// A number with a country code. It is rejected if parsing its normal form gives another number: national
/// prefixes are added to numbers too short to have one.
fn foreign(number: &str) -> Option<String> {
    let home = (!number.trim_start().starts_with('+')).then_some(phonenumber::country::CA);
    let form = |parsed: phonenumber::PhoneNumber| {
        parsed.format().mode(phonenumber::Mode::E164).to_string()
    };
    let parsed = phonenumber::parse(home, number).ok()?;
    phonenumber::is_viable(number)
        .then(|| form(parsed))
        .filter(|found| found.len() >= 8 && !monotone(found))
        .filter(|found| {
            let again = phonenumber::parse(None, found);
            again.is_ok_and(|again| form(again) == *found)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            ("(514) 842-9951", Some("+15148429951")),
            ("+1 514 842 9951", Some("+15148429951")),
            ("1-514-842-9951", Some("+15148429951")),
            ("5148429951 poste 12", Some("+15148429951")),
            ("514.842.9951 x7", Some("+15148429951")),
            ("514 842-9951 ext. 4", Some("+15148429951")),
            ("842-9951", Some("~8429951")),
            ("+33 1 42 68 53 00", Some("+33142685300")),
            ("310/246-1501", Some("+13102461501")),
            ("000-000-0000", None),
            ("11144LLLLLLLL", None),
            ("555", None),
            ("", None),
            ("n/a", None),
        ];
        for (text, form) in cases {
            assert_eq!(phone(text).as_deref(), form, "{text:?}");
        }
        assert_eq!(local_part("+15148429951"), "8429951");
        assert_eq!(local_part("~8429951"), "8429951");
    }
}
