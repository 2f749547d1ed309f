//! Finds numbers that may be relative humidities.

use super::{
    candidate::Candidate,
    doubt::{FILLER, ends_plainly, is_advice, pattern, stands_alone},
    number::percentage,
};
use regex::Regex;
use std::sync::LazyLock;

/// `humidité relative 35 %`, `HR 41%`, `RH: 38 percent`, `Hum. 40`.
pub(super) fn with_label(text: &str) -> Vec<Candidate> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)\b(?:(?P<word>humidit(?:é|e\x{{301}}?|y)|hum\b\.?|hygrom(?:è|e\x{{300}}|e|é)tre|hygrometer|hygro)|(?P<short>h\.?r|r\.?h))\.?{FILLER}(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)(?P<unit>{PER_CENT})?"
        ))
    });
    let found = LABELLED.captures_iter(text).filter_map(|found| {
        let (whole, number) = (found.get(0)?, found.name("n")?);
        let value = percentage(number.as_str())?;
        let rest = &text[whole.end()..];
        let certain = if found.name("unit").is_some() {
            !is_money(rest)
        } else {
            let capitals = found
                .name("short")
                .is_none_or(|short| short.as_str().chars().all(|c| !c.is_lowercase()));
            // `2 HR 30` is a duration.
            let duration = text[..whole.start()]
                .trim_end()
                .ends_with(|c: char| c.is_ascii_digit());
            capitals && !duration && ends_plainly(rest)
        };
        (certain && !is_advice(text, whole.start())).then(|| Candidate {
            value,
            span: whole.range(),
            sure: true,
        })
    });
    found.collect()
}

/// `45% d'humidité`, `38 % RH`, `39 RH`.
pub(super) fn named_after(text: &str) -> Vec<Candidate> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)(?P<unit>{PER_CENT})?\s{{0,2}}\(?(?:d['’]\s?|de\s|of\s)?(?:taux\sd['’]|l['’])?(?:relative\s)?(?P<name>humidit(?:é|e\x{{301}}?|y)(?:\srelative)?|hum\b|h\.?r\b\.?|r\.?h\b\.?)"
        ))
    });
    let found = NAMED.captures_iter(text).filter_map(|found| {
        let (whole, number, name) = (found.get(0)?, found.name("n")?, found.name("name")?);
        // Without a per cent sign only `RH` and the whole word are clear: `2 HR` is two hours.
        let named = found.name("unit").is_some() || name.as_str() == "RH" || name.len() > 5;
        let certain =
            named && stands_alone(text, number.start()) && !is_advice(text, number.start());
        let value = percentage(number.as_str()).filter(|_| certain)?;
        Some(Candidate {
            value,
            span: whole.range(),
            sure: true,
        })
    });
    found.collect()
}

/// A percentage without a label: a discount, unless a temperature is next to it.
pub(super) fn bare(text: &str) -> Vec<Candidate> {
    static PERCENTAGE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)(?:{PER_CENT})"
        ))
    });
    let found = PERCENTAGE.captures_iter(text).filter_map(|found| {
        let (whole, number) = (found.get(0)?, found.name("n")?);
        let value = percentage(number.as_str()).filter(|value| *value >= 5.0)?;
        let possible = stands_alone(text, number.start())
            && !is_money(&text[whole.end()..])
            && !is_advice(text, number.start());
        possible.then(|| Candidate {
            value,
            span: whole.range(),
            sure: false,
        })
    });
    found.collect()
}

/// The ways to write per cent.
const PER_CENT: &str = r"\s{0,2}(?:%|percent\b|per\s?cent\b|pour\s?cents?\b|pct\b|p\.\s?c\.)";

/// Whether the following text makes the percentage a price, a pitch or a share.
fn is_money(rest: &str) -> bool {
    static MONEY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^[^\S\n]*(?:de\s|d['’]|of\s|in\s|en\s)?(?:the\s|la\s|le\s|l['’])?(?:rabais|remise|escompte|r(?:é|e)duction|discount|off\b|tax|tps|tvq|gst|qst|pst|hst|tip\b|pourboire|d(?:é|e)p(?:ô|o)t|deposit|acompte|down\b|plus\b|more\b|moins\b|less\b|cheaper|moins\scher|used|worn|us(?:é|e)|done|complet|fait|total|facture|invoice|price|prix|cordes|strings)",
        )
    });
    MONEY.is_match(rest)
}
