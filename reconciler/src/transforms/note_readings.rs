//! Temperature and relative humidity read out of free text, French and English, in the many spellings technicians use.
//! Every pattern runs in linear time. Where a number might be a discount, a pitch, an hour or a wish, it is left alone.

use regex::{Captures, Regex};
use std::{ops::Range, sync::LazyLock};

/// One reading and where in the text it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Degrees Celsius or per cent, to one decimal.
    pub value: f64,
    /// The bytes of the text that say so.
    pub span: Range<usize>,
}

/// What a note says about the air; a quantity it is not sure about is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NoteReadings {
    /// Degrees Celsius.
    pub temperature: Option<Reading>,
    /// Relative humidity in per cent.
    pub humidity: Option<Reading>,
}

impl NoteReadings {
    /// The words the readings came from, and nothing that stands between them.
    pub fn excerpt(&self, text: &str) -> String {
        let mut spans: Vec<_> = [&self.temperature, &self.humidity]
            .into_iter()
            .flatten()
            .map(|r| r.span.clone())
            .collect();
        spans.sort_by_key(|span| span.start);
        spans
            .into_iter()
            .filter_map(|span| text.get(span))
            .collect::<Vec<_>>()
            .join(" … ")
    }
}

/// Reads the first temperature and the first relative humidity that a note states without doubt.
///
/// A candidate stands by itself (`21 °C`, `HR 40 %`) or needs the other quantity beside it (`21c, 39%`).
pub fn note_readings(text: &str) -> NoteReadings {
    if let Some(pair) = lettered_pair(text) {
        return pair;
    }
    let mut temperatures = temperatures_with_unit(text);
    temperatures.extend(temperatures_with_label(text));
    temperatures.sort_by_key(|candidate| candidate.span.start);
    let mut humidities = humidities_with_label(text);
    humidities.extend(humidities_named_after(text));
    humidities.extend(bare_percentages(text));
    humidities.sort_by_key(|candidate| (candidate.span.start, !candidate.sure));
    NoteReadings {
        temperature: first_certain(text, &temperatures, &humidities),
        humidity: first_certain(text, &humidities, &temperatures),
    }
}

/// A number that may be a reading.
struct Candidate {
    value: f64,
    span: Range<usize>,
    /// Whether it stands by itself; else it needs a candidate of the other quantity beside it.
    sure: bool,
}

/// `others` is sorted by start, so the neighbours of each candidate are found by halving.
fn first_certain(text: &str, candidates: &[Candidate], others: &[Candidate]) -> Option<Reading> {
    let beside = |candidate: &Candidate| {
        let after = others.partition_point(|other| other.span.start < candidate.span.end);
        let next = others
            .get(after)
            .is_some_and(|other| adjacent(text, candidate.span.end, other.span.start));
        let previous = after.checked_sub(1).and_then(|index| others.get(index));
        next || previous.is_some_and(|other| adjacent(text, other.span.end, candidate.span.start))
    };
    let found = candidates
        .iter()
        .find(|candidate| candidate.sure || beside(candidate))?;
    Some(Reading {
        value: found.value,
        span: found.span.clone(),
    })
}

/// Whether only a separator or a short link word stands between two places.
fn adjacent(text: &str, end: usize, start: usize) -> bool {
    const LONGEST: usize = 24;
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)^[\s,;.:/&+|·•()@–—-]*(?:(?:et|and|à|a|at|avec|with|pour)\s)?[\s,;:/(–—-]*$")
    });
    start.checked_sub(end).is_some_and(|gap| gap <= LONGEST) && LINK.is_match(&text[end..start])
}

/// `21 °C`, `68F`, `23° Celsius`, `20 degrés`.
fn temperatures_with_unit(text: &str) -> Vec<Candidate> {
    static TEMPERATURE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?ix)(?P<sign>[-−])?(?P<n>\d{1,3}(?:[.,]\d{1,2})?)\s{0,2}
            (?: (?P<mark>[°º˚]|deg(?:rees?\b|r(?:é|e\x{301}?)s?\b|s?\b\.?)) \s{0,2} (?:(?P<scale>celsius|centigrades?|c|fahrenheit|f)\b)?
              | (?P<glyph>[℃℉])
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
        // Between two words a dash separates; before a number and after a blank it is a sign.
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
        .or_else(|| found.name("glyph"));
    let (celsius, sure) = match (scale, found.name("word")) {
        (Some(scale), _) => (to_celsius(value, scale.as_str()), true),
        (None, Some(word)) if word.len() > 1 => (to_celsius(value, word.as_str()), true),
        (None, Some(letter)) if !apostrophe => {
            bare_letter(text, value, letter.as_str(), letter.end())?
        }
        (None, Some(_)) => return None,
        // Degrees of nothing may be an angle: without a scale they need the humidity beside them.
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

/// A letter without a degree sign: `C` is also a note name and, in small, the cent by which a string is out of tune.
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
fn temperatures_with_label(text: &str) -> Vec<Candidate> {
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

/// `humidité relative 35 %`, `HR 41%`, `RH: 38 percent`, `Hum. 40`.
fn humidities_with_label(text: &str) -> Vec<Candidate> {
    static LABELLED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)\b(?:(?P<word>humidit(?:é|e\x{{301}}?|y)|hum\b\.?|hygrom(?:è|e\x{{300}}|e|é)tre|hygrometer)|(?P<short>h\.?r|r\.?h))\.?{FILLER}(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)(?P<unit>{PER_CENT})?"
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
fn humidities_named_after(text: &str) -> Vec<Candidate> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        pattern(&format!(
            r"(?i)(?P<n>\d{{1,3}}(?:[.,]\d{{1,2}})?)(?P<unit>{PER_CENT})?\s{{0,2}}\(?(?:d['’]\s?|de\s|of\s)?(?:taux\sd['’]|l['’])?(?:relative\s)?(?P<name>humidit(?:é|e\x{{301}}?|y)(?:\srelative)?|hum\b|h\.?r\b\.?|r\.?h\b\.?)"
        ))
    });
    let found = NAMED.captures_iter(text).filter_map(|found| {
        let (whole, number, name) = (found.get(0)?, found.name("n")?, found.name("name")?);
        // Without a per cent sign only `RH` and the whole word name it: `2 HR` is two hours.
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

/// A percentage that nothing names: a discount, unless a temperature stands beside it.
fn bare_percentages(text: &str) -> Vec<Candidate> {
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

/// `T 21 H 40`, `T: 21,5 / H: 40`.
fn lettered_pair(text: &str) -> Option<NoteReadings> {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"\b(?P<whole_t>T°?\s?[:=]?\s?(?P<t>\d{1,3}(?:[.,]\d{1,2})?)(?:\s?°?\s?(?P<scale>[CF]))?)\s{0,2}[,;/-]?\s{0,2}(?P<whole_h>HR?\s?[:=]?\s?(?P<h>\d{1,3}(?:[.,]\d{1,2})?)(?:\s?%|\b))",
        )
    });
    let found = PAIR.captures(text)?;
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

/// Words and signs that may stand between a label and its number.
const FILLER: &str = r"(?:[\s:=~≈(,–—-]|relati(?:ve|f)|rel\b\.?|ambiante?|int(?:é|e)rieure?|actuelle|current|indoor|level|niveau|taux|reading|lecture|de l['’]air|(?:de la|dans la) (?:pièce|salle)|du (?:local|salon|studio)|(?:in|of) the room|in room|room|est|était|is|was|at|à|a|of|de|around|about|approx\b\.?|environ|env\b\.?|(?:too|very|un peu|trop|très)|high|low|bass?e|(?:é|e)lev(?:é|e)e|haute?|s(?:è|e)che){0,12}";

/// The ways to write per cent.
const PER_CENT: &str = r"\s{0,2}(?:%|percent\b|per\s?cent\b|pour\s?cent\b|pct\b|p\.\s?c\.)";

/// Whether a number without a unit is followed by nothing that would give it another one (`19h`, `440 Hz`, `7:30`).
fn ends_plainly(rest: &str) -> bool {
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^(?:\s*$|\s*[;)&|\n]|\s*[,./]\s*(?:\D|$)|\s+(?:et|and|with|avec|h\.?r\b|r\.?h\b|hum|temp|[-–]\s\D))",
        )
    });
    PLAIN.is_match(rest)
}

/// Whether the number at `start` begins there: it is not the tail of a word, a price, a date or a range.
fn stands_alone(text: &str, start: usize) -> bool {
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

/// Whether what stands before makes the number a wish, a limit, a change or the weather outside.
fn is_advice(text: &str, start: usize) -> bool {
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

/// Whether what follows makes the percentage a price, a pitch or a share.
fn is_money(rest: &str) -> bool {
    static MONEY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"(?i)^\s*(?:de\s|d['’]|of\s|in\s|en\s)?(?:the\s|la\s|le\s|l['’])?(?:rabais|remise|escompte|r(?:é|e)duction|discount|off\b|tax|tps|tvq|gst|qst|pst|hst|tip\b|pourboire|d(?:é|e)p(?:ô|o)t|deposit|acompte|down\b|plus\b|more\b|moins\b|less\b|cheaper|moins\scher|used|worn|us(?:é|e)|done|complet|fait|total|facture|invoice|price|prix|cordes|strings)",
        )
    });
    MONEY.is_match(rest)
}

/// Whether a word for temperature stands right before the number.
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

fn decimal(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok()
}

fn percentage(text: &str) -> Option<f64> {
    decimal(text)
        .filter(|value| (0.0..=100.0).contains(value))
        .map(tenth)
}

fn to_celsius(degrees: f64, scale: &str) -> f64 {
    match scale.chars().next() {
        Some('f' | 'F' | '℉') => (degrees - 32.0) * 5.0 / 9.0,
        _ => degrees,
    }
}

/// Degrees without a scale: what a room can have in one of the two, and nothing in between.
fn unscaled(degrees: f64) -> Option<f64> {
    match degrees {
        d if (5.0..=40.0).contains(&d) => Some(d),
        d if (50.0..=95.0).contains(&d) => Some(to_celsius(d, "F")),
        _ => None,
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant that the tests compile")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, temperature, humidity.
    type Line = (&'static str, Option<f64>, Option<f64>);

    const LINES: &[Line] = &[
        // Both quantities.
        ("21C, 39%", Some(21.0), Some(39.0)),
        ("21 C 39 %", Some(21.0), Some(39.0)),
        ("21c, 39%", Some(21.0), Some(39.0)),
        ("21C/39%", Some(21.0), Some(39.0)),
        ("21C-39%", Some(21.0), Some(39.0)),
        ("39% 21C", Some(21.0), Some(39.0)),
        ("39 %, 21 °C", Some(21.0), Some(39.0)),
        ("40 % à 21 °C", Some(21.0), Some(40.0)),
        (
            "23° Celsius, humidité relative 35 %",
            Some(23.0),
            Some(35.0),
        ),
        ("68F, 40%", Some(20.0), Some(40.0)),
        ("70°F 42% RH", Some(21.1), Some(42.0)),
        ("72 deg F, RH 38 percent", Some(22.2), Some(38.0)),
        ("Temp. 20,5 °C HR 41%", Some(20.5), Some(41.0)),
        ("20 degrés, 45% d'humidité", Some(20.0), Some(45.0)),
        ("20 degrés et 45 % d’humidité", Some(20.0), Some(45.0)),
        (
            "Température : 22,3 °C / Humidité : 37,5 %",
            Some(22.3),
            Some(37.5),
        ),
        (
            "Température ambiante 21, humidité 40",
            Some(21.0),
            Some(40.0),
        ),
        ("temp 21 hum 38%", Some(21.0), Some(38.0)),
        ("T: 21 H: 40", Some(21.0), Some(40.0)),
        ("T21,5 / H40%", Some(21.5), Some(40.0)),
        ("Accord 440. 22℃ et 33%.", Some(22.0), Some(33.0)),
        (
            "Pitch raise done.\n19.5C 28%\nNext visit in fall",
            Some(19.5),
            Some(28.0),
        ),
        (
            "Room was 69 degrees fahrenheit with 31% relative humidity.",
            Some(20.6),
            Some(31.0),
        ),
        (
            "Piano sec, 24\u{a0}°C, 22\u{a0}% HR",
            Some(24.0),
            Some(22.0),
        ),
        (
            "23 degre\u{301}s Celsius, humidite\u{301} 35%",
            Some(23.0),
            Some(35.0),
        ),
        ("(21C, 39%)", Some(21.0), Some(39.0)),
        ("A440, 21C 41% rh, chien Biscuit", Some(21.0), Some(41.0)),
        ("20°, 45%", Some(20.0), Some(45.0)),
        ("68° 45%", Some(20.0), Some(45.0)),
        ("21C 40% et rabais de 10%", Some(21.0), Some(40.0)),
        // Temperature alone.
        ("Pièce à 18 °C", Some(18.0), None),
        ("18C", Some(18.0), None),
        ("Il fait 17 degrés ici", Some(17.0), None),
        ("temp: 65F", Some(18.3), None),
        ("Temperature is 21.", Some(21.0), None),
        ("Église non chauffée: -5 °C", Some(-5.0), None),
        ("21 ºC", Some(21.0), None),
        ("20° c'est correct, 40%", Some(20.0), None),
        // Humidity alone.
        ("humidité relative de 35 %", None, Some(35.0)),
        ("Humidité: 41", None, Some(41.0)),
        ("Humidity very low at 18%", None, Some(18.0)),
        ("Humidité trop élevée : 68 %", None, Some(68.0)),
        ("RH 38 percent", None, Some(38.0)),
        ("R.H. 38%", None, Some(38.0)),
        ("hr38%", None, Some(38.0)),
        ("39 RH", None, Some(39.0)),
        ("44 pour cent d'humidité", None, Some(44.0)),
        ("taux d'humidité 30 p. c.", None, Some(30.0)),
        ("Hygromètre: 47%", None, Some(47.0)),
        ("relative humidity of 52 per cent", None, Some(52.0)),
        ("0% humidity", None, Some(0.0)),
        // Neither.
        ("", None, None),
        ("Accordé à 440 Hz", None, None),
        ("A=442, piano stable", None, None),
        ("Rabais de 15%", None, None),
        ("15 % de rabais, TPS 5% et TVQ 9,975%", None, None),
        ("21C 10% off", Some(21.0), None),
        ("20 % discount for 21 pianos", None, None),
        ("Rendez-vous à 7pm", None, None),
        ("Temp. fermée, revenir à 19h", None, None),
        ("temp 19h30", None, None),
        ("Temps: 20 minutes", None, None),
        ("temps 21", None, None),
        ("Durée 2 HR 30.", None, None),
        ("3 hr 40", None, None),
        ("Built 1921, restored 2019", None, None),
        ("Yamaha C7 et Steinway B", None, None),
        ("Serial 12345C", None, None),
        ("pitch was 15c flat", None, None),
        ("20C flat in the treble", None, None),
        ("+15C", None, None),
        ("corde 21 c cassée", None, None),
        ("Tourner la vis de 45 degrés", None, None),
        ("20-21C", None, None),
        ("humidité entre 40 et 45 %", None, None),
        ("Maintenir l'humidité à 45%", None, None),
        ("Humidity should be 45%", None, None),
        ("Keep the room at 21C, 45%", None, None),
        ("Dehors -25 °C", None, None),
        ("humidité 139%", None, None),
        ("500C", None, None),
        ("Humidificateur rempli, facture 10% payée", None, None),
        ("Température idéale 21 °C", None, None),
        ("1/2 C", None, None),
        ("$21 C", None, None),
        ("80% des cordes remplacées", None, None),
        ("514-555-0121 C", None, None),
    ];

    #[test]
    fn notes_are_read_as_a_technician_would() {
        for (text, temperature, humidity) in LINES {
            let found = note_readings(text);
            let values = (
                found.temperature.as_ref().map(|r| r.value),
                found.humidity.as_ref().map(|r| r.value),
            );
            assert_eq!(values, (*temperature, *humidity), "{text:?}");
        }
    }

    #[test]
    fn every_reading_points_at_its_own_words() {
        let text = "Très sec. 23° Celsius, près du foyer; humidité relative 35 %, chien Biscuit";
        let found = note_readings(text);
        assert_eq!(found.excerpt(text), "23° Celsius … humidité relative 35 %");
    }

    #[test]
    fn long_and_hostile_text_is_read_in_linear_time() {
        for unit in [
            "21c ",
            "39% ",
            "humidité ",
            "temp relative ",
            "21",
            "-",
            "°",
            "21c, 39 %% ",
            "é",
        ] {
            let text = unit.repeat(200_000 / unit.len());
            let _ = note_readings(&text);
        }
    }
}
