//! Which language a visitor reads, and how it writes numbers and times.

use jiff::tz::TimeZone;

use super::words::{ENGLISH, FRENCH, Words};
use crate::health::Instant;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    French,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::French];

    /// The language named by a tag such as `fr-CA`.
    pub(crate) fn of_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.trim().to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "fr" => Some(Self::French),
            _ => None,
        }
    }

    /// The short tag, for links and for `lang`.
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    pub(super) fn words(self) -> &'static Words {
        match self {
            Self::English => &ENGLISH,
            Self::French => &FRENCH,
        }
    }

    /// A whole number with its groups of three.
    pub(super) fn number(self, number: i64) -> String {
        let group = match self {
            Self::English => ",",
            Self::French => "\u{202f}",
        };
        let digits = number.unsigned_abs().to_string();
        let groups: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|chunk| str::from_utf8(chunk).unwrap_or(""))
            .collect();
        format!(
            "{}{}",
            if number < 0 { "−" } else { "" },
            groups.join(group)
        )
    }

    /// How long ago, in the largest unit that fits.
    pub(super) fn ago(self, seconds: i64) -> String {
        let (number, english, french) = match seconds {
            ..60 => (seconds.max(0), "s", "s"),
            60..3_600 => (seconds / 60, "min", "min"),
            3_600..172_800 => (seconds / 3_600, "h", "h"),
            _ => (seconds / 86_400, "d", "j"),
        };
        let number = self.number(number);
        match self {
            Self::English => format!("{number}\u{a0}{english} ago"),
            Self::French => format!("il y a {number}\u{a0}{french}"),
        }
    }

    /// A moment on the clock of `zone`, to the minute.
    pub(super) fn clock(self, at: Instant, zone: &TimeZone) -> String {
        let format = match self {
            Self::English => "%Y-%m-%d %H:%M",
            Self::French => "%Y-%m-%d %H\u{a0}h\u{a0}%M",
        };
        at.timestamp()
            .to_zoned(zone.clone())
            .strftime(format)
            .to_string()
    }
}

/// The language asked for in the address, else the one the browser prefers, else English.
pub(crate) fn preferred(asked: Option<&str>, accept_language: Option<&str>) -> Language {
    asked
        .and_then(Language::of_tag)
        .unwrap_or_else(|| accepted(accept_language.unwrap_or("")))
}

/// Reads `Accept-Language` (RFC 9110, 12.5.4): the greatest weight wins, the first of equals.
fn accepted(header: &str) -> Language {
    let mut best = (0.0, Language::English);
    for choice in header.split(',') {
        let mut parts = choice.split(';');
        let Some(language) = parts.next().and_then(Language::of_tag) else {
            continue;
        };
        let weight = match parts.find_map(|part| part.trim().strip_prefix("q=")) {
            None => 1.0,
            Some(weight) => weight.trim().parse().unwrap_or(0.0),
        };
        if weight > best.0 {
            best = (weight, language);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_then_the_browser_then_english() {
        use Language::{English, French};
        let cases = [
            (None, None, English),
            (None, Some(""), English),
            (None, Some("fr"), French),
            (None, Some("fr-CA,fr;q=0.9,en;q=0.8"), French),
            (None, Some("en-CA,en;q=0.9,fr;q=0.8"), English),
            (None, Some("en;q=0.3, FR-ca;q=0.7"), French),
            (None, Some("de, fr;q=0.1"), French),
            (None, Some("de, es;q=0.5"), English),
            (None, Some("fr;q=0"), English),
            (None, Some("fr;q=abc, ;;,,q="), English),
            (Some("fr"), Some("en"), French),
            (Some("en-GB"), Some("fr"), English),
            (Some("<script>"), Some("fr"), French),
        ];
        for (asked, header, expected) in cases {
            assert_eq!(preferred(asked, header), expected, "{asked:?} {header:?}");
        }
    }

    #[test]
    fn numbers_and_times_are_written_as_readers_expect() {
        let (en, fr) = (Language::English, Language::French);
        for (number, english, french) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1\u{202f}000"),
            (-1_234_567, "−1,234,567", "−1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(
                (en.number(number), fr.number(number)),
                (english.into(), french.into())
            );
        }
        for (seconds, english, french) in [
            (-5, "0\u{a0}s ago", "il y a 0\u{a0}s"),
            (59, "59\u{a0}s ago", "il y a 59\u{a0}s"),
            (60, "1\u{a0}min ago", "il y a 1\u{a0}min"),
            (7_200, "2\u{a0}h ago", "il y a 2\u{a0}h"),
            (172_799, "47\u{a0}h ago", "il y a 47\u{a0}h"),
            (172_800, "2\u{a0}d ago", "il y a 2\u{a0}j"),
        ] {
            assert_eq!(
                (en.ago(seconds), fr.ago(seconds)),
                (english.into(), french.into())
            );
        }
        let zone = TimeZone::get("America/Montreal").expect("a zone");
        assert_eq!(en.clock(Instant(1_763_700_000), &zone), "2025-11-20 23:40");
        assert_eq!(
            fr.clock(Instant(1_763_700_000), &zone),
            "2025-11-20 23\u{a0}h\u{a0}40"
        );
    }
}
