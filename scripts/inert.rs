//! Text of a source or a person, as a terminal may show it.

use std::borrow::Cow;

/// Letters that steer a terminal or turn the direction of a line are shown as their numbers, as JSON writes
/// them too.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        match steers(letter) {
            true => clean.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => clean.push(letter),
        }
    }
    clean.into()
}

fn steers(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (letter.is_control() && !matches!(letter, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_steer_are_shown_as_their_numbers() {
        let shown = inert("\"é\"\n\t\u{1b}[31m\u{202e}x\u{7f}");
        assert_eq!(shown, "\"é\"\n\t\\u001b[31m\\u202ex\\u007f");
    }
}
