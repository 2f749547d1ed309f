//! Texts of a source made safe to show: bounded, and without secrets.

use std::sync::{Arc, PoisonError, RwLock};

use crate::auth::secret::Secret;

/// Characters of an excerpt.
const LONGEST: usize = 240;
/// Characters kept of a body that is no usable response.
const WHOLE: usize = 16_384;

/// Takes known secrets out of texts that a source sent.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Arc<RwLock<Vec<Secret>>>);

impl Redactor {
    /// Remembers a secret to be taken out from now on.
    pub(crate) fn learn(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !known.iter().any(|held| held.reveal() == secret.reveal()) {
            known.push(secret.clone());
            // Old access tokens are worthless after a few rotations.
            if known.len() > 64 {
                known.remove(8);
            }
        }
    }

    /// The beginning of the text without secrets; longer than `most` only by the replacements.
    fn beginning(&self, text: &str, most: usize) -> String {
        // Redact before cutting, and drop the end: a secret that is cut in half would not be found.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let secrets = || {
            known
                .iter()
                .map(Secret::reveal)
                .filter(|secret| secret.len() >= 4)
        };
        let longest = secrets().map(str::len).max().unwrap_or(0);
        let mut near: String = text.chars().take(most + longest).collect();
        let whole = near.len() == text.len();
        for secret in secrets() {
            near = near.replace(secret, "[redacted]");
        }
        if !whole {
            let kept = near.chars().count().saturating_sub(longest);
            near = near.chars().take(kept).collect();
        }
        near
    }

    /// The text with its lines, without secrets, bounded.
    pub(crate) fn whole(&self, text: &str) -> String {
        let near = self.beginning(text, WHOLE);
        let mut clean = String::with_capacity(near.len());
        let mut hides = false;
        for word in near.split_inclusive(char::is_whitespace) {
            let bare = word.trim_end();
            match hides && !bare.is_empty() {
                true => clean.push_str("[redacted]"),
                false => bare.chars().for_each(|c| show(c, &mut clean)),
            }
            hides = bare.eq_ignore_ascii_case("bearer") || (hides && bare.is_empty());
            for blank in word[bare.len()..].chars() {
                match blank {
                    '\n' | '\t' => clean.push(blank),
                    _ => clean.push(' '),
                }
            }
        }
        match text.chars().nth(WHOLE) {
            Some(_) => clean + "…",
            None => clean,
        }
    }

    /// The text on one line, without secrets, bounded.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        let near = self.beginning(text, LONGEST * 32);
        let mut clean = String::with_capacity(LONGEST);
        let mut words = near.split_whitespace().peekable();
        while let Some(word) = words.next() {
            if !clean.is_empty() {
                clean.push(' ');
            }
            word.chars().for_each(|c| show(c, &mut clean));
            if word.eq_ignore_ascii_case("bearer") && words.next().is_some() {
                clean.push_str(" [redacted]");
            }
            if clean.len() > LONGEST {
                break;
            }
        }
        match clean.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &clean[..end]),
            None => clean,
        }
    }
}

/// Escapes control characters and bidirectional marks, which could change what a terminal shows.
fn show(letter: char, clean: &mut String) {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match letter.is_control() || turns {
        true => clean.extend(letter.escape_unicode()),
        false => clean.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_single_lines_without_secrets() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("canary-123"));
        assert_eq!(
            redactor.excerpt("token\n canary-123 and Bearer abc.def is wrong"),
            "token [redacted] and Bearer [redacted] is wrong"
        );
        assert_eq!(
            redactor.whole("<p>\n\tcanary-123, Bearer  abc.def \u{1b}[31mred\0</p>\n"),
            "<p>\n\t[redacted], Bearer  [redacted] \\u{1b}[31mred\\u{0}</p>\n"
        );
        let long = redactor.whole(&"é canary-123 ".repeat(10_000));
        assert!(long.chars().count() <= WHOLE * 2 && !long.contains("canary"));
        assert_eq!(
            redactor.excerpt("\u{1b}[31mred\u{7} \u{202e}dlrow"),
            "\\u{1b}[31mred\\u{7} \\u{202e}dlrow"
        );
        let long = redactor.excerpt(&"é".repeat(10_000));
        assert!(long.chars().count() <= LONGEST + 1);
        let across = redactor.excerpt(&format!("{}canary-123", "x".repeat(LONGEST - 4)));
        assert!(!across.contains("cana"), "{across}");
        let secret = "0123456789".repeat(50);
        redactor.learn(&Secret::new(&secret));
        let again = redactor.excerpt(&secret.repeat(40));
        assert!(!again.contains("012345"), "{again}");
    }
}
