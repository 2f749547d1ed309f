//! What technicians type: service notes in two languages, with climate readings in every spelling met so far,
//! and numbers that look like readings and are none.

use super::dice::Dice;

/// Spellings of one reading: `{t}` degrees Celsius, `{f}` degrees Fahrenheit, `{h}` per cent.
pub const SPELLINGS: &[&str] = &[
    "{t}C, {h}%",
    "{t}° Celsius, humidité relative {h} %",
    "{f}F, {h}%",
    "Temp. {t},5 °C HR {h}%",
    "{t} °C / {h} % HR",
    "T: {t}°C H: {h}%",
    "Humidité {h}%, température {t} degrés",
    "RH {h}% {f}°F",
    "humidity {h} percent, {t} C",
    "{t}.5°C, {h}% RH",
    "temp {f} F, rel. hum. {h} %",
    "{t} degrés, {h} pour cent d'humidité",
    "Taux d'humidité : {h} %; T° : {t} °C",
    "H.R. {h}% - {t}C",
    "{t}c {h}%",
    "Relative humidity {h}%. Temperature {f} degrees F",
];

const FRENCH: &[&str] = &[
    "Accord au diapason 440 Hz.",
    "Accord à 442 Hz, unissons repris.",
    "Réglage de la mécanique, enfoncement 10 mm.",
    "Remplacé la corde la3, revenir dans 2 semaines.",
    "Nettoyage complet; 15 % de rabais accordé.",
    "Harmonisation légère des aigus.",
    "Pédale qui grince — lubrifiée.",
    "Client absent 20 min, piano accordé quand même.",
    "Piano très bas : −35 cents, deux passes.",
];
const ENGLISH: &[&str] = &[
    "Tuned to A440.",
    "Pitch raise, 28 cents flat, two passes.",
    "Replaced a string in the treble, will need retouching.",
    "Regulated the action, key dip 0.390 in.",
    "Voicing of hammers 40-52.",
    "Sticking keys eased; customer's dog Pepper met us.",
    "Cleaned the soundboard, found a toy car.",
    "Tuned for concert at 19:30, A441.",
];

/// The text of one service note.
pub(super) fn service_note(dice: &mut Dice) -> String {
    let phrases = if dice.chance(650) { FRENCH } else { ENGLISH };
    let mut text = dice.pick(phrases).to_owned();
    if dice.chance(550) {
        let reading = reading(dice);
        text = if dice.chance(300) {
            format!("{reading}. {text}")
        } else {
            format!("{text} {reading}")
        };
    }
    if dice.chance(60) {
        text.push_str("\nCode de la porte 4471*, demander Réjeanne.");
    }
    text
}

/// One reading in one of the spellings.
pub(super) fn reading(dice: &mut Dice) -> String {
    let celsius = dice.between(16, 27);
    dice.pick(SPELLINGS)
        .replace("{t}", &celsius.to_string())
        .replace("{f}", &(celsius * 9 / 5 + 32).to_string())
        .replace("{h}", &dice.between(18, 66).to_string())
}

/// The template the vendor writes when an appointment changes.
pub(super) fn system_message(dice: &mut Dice, at: i64) -> String {
    let day = super::moment(at + dice.between(1, 60) * 86_400);
    let what = dice.pick(&[
        "Appointment cancelled for",
        "Appointment changed for",
        "Appointment scheduled for",
    ]);
    format!("{what} {}", day.strftime("%B %-d, %Y"))
}
