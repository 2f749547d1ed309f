//! The text around a number: what a reading may have, and what rules it out.

use regex::Regex;
use std::sync::LazyLock;

/// Words and signs that are allowed between a label and its number.
pub(super) const FILLER: &str = r"(?:[\s:=~≈(,@–—-]|relati(?:ve|f)|rel\b\.?|ambiante?|int(?:é|e)rieure?|actuelle|current|indoor|level|niveau|taux|reading|lecture|de l['’]air|(?:de la|dans la) (?:pièce|salle)|du (?:local|salon|studio)|(?:in|of) the room|in room|room|est|était|is|was|at|à|a|of|de|around|about|approx\b\.?|environ|env\b\.?|(?:too|very|un peu|trop|très)|high|low|bass?e|(?:é|e)lev(?:é|e)e|haute?|s(?:è|e)che){0,12}";

/// Whether no other unit follows a number without a unit (`19h`, `440 Hz`, `7:30`).
pub(super) fn ends_plainly(rest: &str) -> bool {
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^(?:\s*$|\s*[;)&|\n]|\s*[,./]\s*(?:\D|$)|\s+(?:et|and|with|avec|h\.?r\b|r\.?h\b|hum|temp|[-–]\s\D))",
        )
    });
    PLAIN.is_match(rest)
}

/// Whether a number begins at `start`, and not the tail of a word, a price, a date or a range.
pub(super) fn stands_alone(text: &str, start: usize) -> bool {
    let mut before = text[..start].chars().rev();
    match before.next() {
        None => true,
        Some(last) if last.is_alphanumeric() || "_$€£#+".contains(last) => false,
        Some('.' | ',' | '-' | '–' | '/' | ':') => {
            !before.next().is_some_and(|c| c.is_ascii_digit())
        }
        Some(_) => true,
    }
}

/// Whether the preceding text makes the number advice, a limit, a change or the weather outside.
pub(super) fn is_advice(text: &str, start: usize) -> bool {
    const LONGEST: usize = 60;
    static ADVICE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?ix)\b(?:maint(?:enir|enez|ain)|keep|gard(?:er|ez)|should|devrait|doit|must|id(?:é|e)al\w*|recomm[ae]nd\w*|vis(?:er|ez)|target|cible|aim
            |between|entre|outside|outdoors?|dehors|ext(?:é|e)rieure?|set\sto|r(?:é|e)gl(?:é|e)e?\s(?:à|sur)|setpoint|consigne|augment\w*|increas\w*|rabais|discount|escompte|taxes?|tps|tvq)\b
            |\b(?:below|under|above|over|up\sto|sous|au-dessus\sde|au-dessous\sde|plus\sde|moins\sde|less\sthan|more\sthan|au\smoins|at\sleast|jusqu['’]à|max\.?|min\.?)\s*$
            |[<>≤≥±]\s*$",
        )
    });
    let from = (start.saturating_sub(LONGEST)..=start)
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(start);
    let window = &text[from..start];
    let clause = window
        .rfind(['.', ';', '\n', '!', '?'])
        .map_or(window, |end| &window[end + 1..]);
    ADVICE.is_match(clause)
}

/// Compiles a constant pattern of this folder; the tests compile each of them.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant that the tests compile")
}
