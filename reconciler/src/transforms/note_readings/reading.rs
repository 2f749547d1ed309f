//! Chooses the readings of a note among all candidates in it.

use super::candidate::{Candidate, NoteReadings, Reading};
use super::{doubt::pattern, humidity, pair, temperature};
use regex::Regex;
use std::sync::LazyLock;

/// Finds the first certain temperature and the first certain relative humidity of a note.
///
/// A candidate is certain by itself (`21 °C`, `HR 40 %`) or next to one of the other quantity (`21c, 39%`).
pub fn note_readings(text: &str) -> NoteReadings {
    if let Some(pair) = pair::lettered(text) {
        return pair;
    }
    let mut temperatures = temperature::with_unit(text);
    temperatures.extend(temperature::with_label(text));
    temperatures.sort_by_key(|candidate| candidate.span.start);
    let mut humidities = humidity::with_label(text);
    humidities.extend(humidity::named_after(text));
    humidities.extend(humidity::bare(text));
    humidities.sort_by_key(|candidate| (candidate.span.start, !candidate.sure));
    NoteReadings {
        temperature: first_certain(text, &temperatures, &humidities),
        humidity: first_certain(text, &humidities, &temperatures),
    }
}

/// `others` is sorted by start, so that neighbours are found by binary search.
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

/// Whether only a separator or a short link word is between two places.
fn adjacent(text: &str, end: usize, start: usize) -> bool {
    const LONGEST: usize = 24;
    static LINK: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"(?i)^[\s,;.:/&+|·•()@–—-]*(?:(?:et|and|à|a|at|avec|with|pour)\s)?[\s,;:/(–—-]*$")
    });
    start.checked_sub(end).is_some_and(|gap| gap <= LONGEST) && LINK.is_match(&text[end..start])
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
        ("20° c'est correct, 40%", None, None),
        ("Temp. 20° c'est correct", Some(20.0), None),
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
        ("T° 21 HR 40", Some(21.0), Some(40.0)),
        ("21degC, 40 pourcent", Some(21.0), Some(40.0)),
        ("32°F, humidity 40%", Some(0.0), Some(40.0)),
        ("hygro 44 %", None, Some(44.0)),
        (
            "Humidité 38%, température 21 degrés",
            Some(21.0),
            Some(38.0),
        ),
        ("Taux d'humidité : 38 %; T° : 21 °C", Some(21.0), Some(38.0)),
        (
            "Relative humidity 38%. Temperature 70 degrees F",
            Some(21.1),
            Some(38.0),
        ),
        ("humidity 38 percent, 21 C", Some(21.0), Some(38.0)),
        ("RH 38% 70°F", Some(21.1), Some(38.0)),
        ("humidité, 21C, 39%", Some(21.0), Some(39.0)),
        // Neither.
        ("Noël T 19H30", None, None),
        ("Réglé à T 21 H 45", None, None),
        ("19h/TJD puis 7pm/JD", None, None),
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
        let mut wrong = Vec::new();
        for (text, temperature, humidity) in LINES {
            let found = note_readings(text);
            let values = (
                found.temperature.map(|r| r.value),
                found.humidity.map(|r| r.value),
            );
            if values != (*temperature, *humidity) {
                wrong.push(format!("{text:?}: {values:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_reading_is_found_wherever_it_stands_in_a_note() {
        let spellings = [
            "21C, 39%",
            "21° Celsius, humidité relative 39 %",
            "70F, 39%",
            "Temp. 21,0 °C HR 39%",
            "21 °C / 39 % HR",
            "T: 21°C H: 39%",
            "Humidité 39%, température 21 degrés",
            "RH 39% 70°F",
            "humidity 39 percent, 21 C",
            "temp 70 F, rel. hum. 39 %",
            "21 degrés, 39 pour cent d'humidité",
            "Taux d'humidité : 39 %; T° : 21 °C",
            "H.R. 39% - 21C",
            "21c 39%",
            "Relative humidity 39%. Temperature 70 degrees F",
        ];
        let notes = [
            "Accord au diapason 440 Hz.",
            "Réglage de la mécanique, enfoncement 10 mm.",
            "Revenir dans 2 semaines.",
            "Nettoyage complet; 15 % de rabais accordé.",
            "Client absent 20 min, piano accordé quand même.",
            "Piano très bas : −35 cents, deux passes.",
            "Pitch raise, 28 cents flat, two passes.",
            "Regulated the action, key dip 0.390 in.",
            "Voicing of hammers 40-52.",
            "Tuned for concert at 19:30, A441.",
            "TPS 5 %, TVQ 9,975 %.",
            "Rendez-vous le 3 mai 2024 à 7pm.",
        ];
        let mut wrong = Vec::new();
        for (spelling, note) in spellings
            .iter()
            .flat_map(|s| notes.iter().map(move |n| (s, n)))
        {
            for text in [
                format!("{note} {spelling}"),
                format!("{spelling}. {note}"),
                format!("{note}\n{spelling}\n{note}"),
            ] {
                let found = note_readings(&text);
                let warm = found
                    .temperature
                    .is_some_and(|r| (21.0..=21.1).contains(&r.value));
                if !warm || found.humidity.is_none_or(|r| r.value != 39.0) {
                    wrong.push(text);
                }
            }
        }
        for note in notes {
            assert_eq!(note_readings(note), NoteReadings::default(), "{note:?}");
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
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
