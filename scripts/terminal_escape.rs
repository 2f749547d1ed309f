//! Escapes control characters in text of a source or a person before a terminal shows it.

use std::borrow::Cow;

/// Control characters and those that change the direction of a line are shown as their numbers, as in JSON.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match is_control(letter) {
            true => clean.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => clean.push(letter),
        }
    }
    clean.into()
}

fn is_control(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && !matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_as_their_numbers() {
        let shown = escape("\"é\"\n\t\u{1b}[31m\u{202e}x\u{7f}");
        assert_eq!(shown, "\"é\"\n\t\\u001b[31m\\u202ex\\u007f");
    }
}
