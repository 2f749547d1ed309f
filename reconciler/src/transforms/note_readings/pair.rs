//! Readings labelled with the letters T and H, the shortest spelling in use.

use super::{
    candidate::{NoteReadings, Reading},
    doubt::{is_advice, pattern},
    number::{decimal, percentage, tenth, to_celsius, unscaled},
};
use regex::Regex;
use std::sync::LazyLock;

/// `T 21 H 40`, `T: 21,5 / H: 40`.
pub(super) fn lettered(text: &str) -> Option<NoteReadings> {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(?P<whole_t>T°?\s?[:=]?\s?(?P<t>\d{1,3}(?:[.,]\d{1,2})?)(?:\s?°?\s?(?P<scale>[CF]))?)(?:\s{1,2}|\s?[,;/]\s{0,2})(?P<whole_h>HR?\s?[:=]?\s?(?P<h>\d{1,3}(?:[.,]\d{1,2})?)(?:\s?%|\b))",
        )
    });
    let found = PAIR.captures(text)?;
    if is_advice(text, found.get(0)?.start()) {
        return None;
    }
    let degrees = decimal(&found["t"])?;
    let celsius = match found.name("scale") {
        Some(scale) => to_celsius(degrees, scale.as_str()),
        None => unscaled(degrees)?,
    };
    let humidity = percentage(&found["h"])?;
    Some(NoteReadings {
        temperature: Some(Reading {
            value: tenth(celsius),
            span: found.name("whole_t")?.range(),
        }),
        humidity: Some(Reading {
            value: humidity,
            span: found.name("whole_h")?.range(),
        }),
    })
}
