//! Finds numbers that may be temperatures.

use super::{
    candidate::Candidate,
    doubt::{FILLER, ends_plainly, is_advice, pattern, stands_alone},
    number::{decimal, tenth, to_celsius, unscaled},
};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// `21 °C`, `68F`, `23° Celsius`, `20 degrés`.
pub(super) fn with_unit(text: &str) -> Vec<Candidate> {
    static TEMPERATURE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?ix)(?P<sign>[-−])?(?P<n>\d{1,3}(?:[.,]\d{1,2})?)\s{0,2}
            (?: (?P<mark>[°º˚]|deg(?:rees?\b|r(?:é|e\x{301}?)s?\b|s?\b\.?)) \s{0,2} (?:(?P<scale>celsius|centigrades?|c|fahrenheit|f)\b)?
              | (?P<glyph>[℃℉])
              | deg(?P<tight>[cf])\b
              | (?P<word>celsius|centigrades?|fahrenheit|c|f)\b )",
        )
    });
    TEMPERATURE
        .captures_iter(text)
        .filter_map(|found| temperature(text, &found))
        .collect()
}

fn temperature(text: &str, found: &Captures) -> Option<Candidate> {
    let number = found.name("n")?;
    let whole = found.get(0)?;
    let mut start = number.start();
    let mut value = decimal(number.as_str())?;
    if let Some(sign) = found.name("sign") {
        // A dash between two words is a separator; after a blank and before a number it is a minus sign.
        match text[..sign.start()].chars().next_back() {
            Some(before) if before.is_ascii_digit() => return None,
            Some(before) if !before.is_whitespace() && !"(:,=".contains(before) => {}
            _ => (start, value) = (sign.start(), -value),
        }
    } else if !stands_alone(text, start) {
        return None;
    }
    if is_advice(text, number.start()) {
        return None;
    }
    let apostrophe = text[whole.end()..].starts_with(['\'', '’']);
    let scale = found
        .name("scale")
        .filter(|_| !apostrophe)
        .or_else(|| found.name("glyph"))
        .or_else(|| found.name("tight"));
    let (celsius, sure) = match (scale, found.name("word")) {
        (Some(scale), _) => (to_celsius(value, scale.as_str()), true),
        (None, Some(word)) if word.len() > 1 => (to_celsius(value, word.as_str()), true),
        (None, Some(letter)) if !apostrophe => {
            bare_letter(text, value, letter.as_str(), letter.end())?
        }
        (None, Some(_)) => return None,
        // Degrees without a scale may be an angle, so they need a humidity next to them.
        (None, None) => (unscaled(value)?, labelled_before(text, number.start())),
    };
    let span = start..(if apostrophe {
        found.name("mark")?.end()
    } else {
        whole.end()
    });
    (-40.0..=60.0).contains(&celsius).then(|| Candidate {
        value: tenth(celsius),
        span,
        sure,
    })
}

/// A letter without a degree sign: `C` is also a note, and lower-case `c` is the unit cent of a detuned
/// string.
fn bare_letter(text: &str, value: f64, letter: &str, end: usize) -> Option<(f64, bool)> {
    static PITCH: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^\s*(?:too\s|trop\s|plus\s)?(?:flat|sharp|low|high|b(?:é|e)mol|di(?:è|e)se|bas\b|hauts?\b|cents?\b|[#♯♭])",
        )
    });
    let plausible = if letter.eq_ignore_ascii_case("c") {
        5.0..=40.0
    } else {
        40.0..=105.0
    };
    if !plausible.contains(&value) || PITCH.is_match(&text[end..]) {
        return None;
    }
    Some((
        to_celsius(value, letter),
        letter.chars().all(char::is_uppercase),
    ))
}

/// `Temp. 21`, `Température ambiante : 20,5`: a label and a number without a unit.
pub(super) fn with_label(text: &str) -> Vec<Candidate> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)\btemp(?:(?:é|e\x{{301}}|e)rature\b|\.|\b)\.?{FILLER}(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)"
        ))
    });
    let found = LABELLED.captures_iter(text).filter_map(|found| {
        let (whole, number) = (found.get(0)?, found.name("n")?);
        let value = unscaled(decimal(number.as_str())?)?;
        let plain = ends_plainly(&text[number.end()..]) && !is_advice(text, whole.start());
        plain.then(|| Candidate {
            value: tenth(value),
            span: whole.range(),
            sure: true,
        })
    });
    found.collect()
}

/// Whether a word for temperature comes right before the number.
fn labelled_before(text: &str, start: usize) -> bool {
    const LONGEST: usize = 40;
    static LABEL: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)(?:\btemp(?:(?:é|e\x{{301}}|e)rature|\.|\b)\.?|\bil fait|\broom|\bpi(?:è|e)ce){FILLER}$"
        ))
    });
    let from = (start.saturating_sub(LONGEST)..=start)
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(start);
    LABEL.is_match(&text[from..start])
}
