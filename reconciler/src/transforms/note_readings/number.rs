//! Parses numbers as people write them, and converts between the two temperature scales.

pub(super) fn decimal(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok()
}

pub(super) fn percentage(text: &str) -> Option<f64> {
    decimal(text)
        .filter(|value| (0.0..=100.0).contains(value))
        .map(tenth)
}

pub(super) fn to_celsius(degrees: f64, scale: &str) -> f64 {
    match scale.chars().next() {
        Some('f' | 'F' | '℉') => (degrees - 32.0) * 5.0 / 9.0,
        _ => degrees,
    }
}

/// Degrees without a scale: plausible room temperatures in Celsius or Fahrenheit, which do not overlap.
pub(super) fn unscaled(degrees: f64) -> Option<f64> {
    match degrees {
        d if (5.0..=40.0).contains(&d) => Some(d),
        d if (50.0..=95.0).contains(&d) => Some(to_celsius(d, "F")),
        _ => None,
    }
}

pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}
