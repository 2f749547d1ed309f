//! Exact decimal numbers as text, as PostgreSQL's `numeric` stores them, without floating point.

use std::cmp::Ordering;

/// PostgreSQL allows 131,072 digits before the point. A thousand is more than any business value needs, and
/// keeps `1e99999` from expanding to that many digits.
const MOST_DIGITS: i64 = 1000;

/// A decimal number: its digits without leading zeros, `scale` of them after the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    digits: String,
    scale: usize,
}

impl Decimal {
    /// Parses a JSON number; `None` if it is none or has more than a thousand digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text
            .strip_prefix('-')
            .map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty()
            || !is_digits(whole)
            || !is_digits(fraction)
            || (mantissa.contains('.') && fraction.is_empty())
        {
            return None;
        }
        let mut digits = format!("{whole}{fraction}");
        let mut scale = i64::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        if scale.abs() > MOST_DIGITS || digits.len() > 2 * usize::try_from(MOST_DIGITS).ok()? {
            return None;
        }
        while scale < 0 {
            digits.push('0');
            scale += 1;
        }
        let digits = digits.trim_start_matches('0').to_owned();
        Some(Self {
            negative: negative && !digits.is_empty(),
            digits,
            scale: usize::try_from(scale).ok()?,
        })
    }

    /// The same value without trailing zeros in its fraction.
    pub(super) fn trimmed(mut self) -> Self {
        while self.scale > 0 && (self.digits.ends_with('0') || self.digits.is_empty()) {
            self.digits.pop();
            self.scale -= 1;
        }
        self
    }

    /// The same value with exactly `scale` digits after the point; `None` if that would lose digits or need
    /// more than `precision` of them.
    pub(super) fn fitted(self, precision: u32, scale: u32) -> Option<Self> {
        let mut fitted = self.trimmed();
        let (precision, scale) = (precision as usize, scale as usize);
        if fitted.scale > scale {
            return None;
        }
        if !fitted.digits.is_empty() {
            fitted
                .digits
                .extend(std::iter::repeat_n('0', scale - fitted.scale));
        }
        fitted.scale = scale;
        (fitted.digits.len() <= precision).then_some(fitted)
    }

    /// The integer, if there is no fraction.
    pub(super) fn as_i64(&self) -> Option<i64> {
        let whole = self.clone().trimmed();
        if whole.scale > 0 {
            return None;
        }
        whole.to_string().parse().ok()
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }

    fn compare_magnitude(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        let padded = |d: &Self| format!("{}{}", d.digits, "0".repeat(scale - d.scale));
        let (a, b) = (padded(self), padded(other));
        let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    }
}

/// Without exponent, as PostgreSQL prints a `numeric`.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let digits = format!("{:0>width$}", self.digits, width = self.scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale);
        let sign = if self.negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_of_one_value_become_one() {
        let cases = [
            ("0", "0"),
            ("-0", "0"),
            ("0.00", "0"),
            ("1.10", "1.1"),
            ("1e3", "1000"),
            ("1.5E+1", "15"),
            ("25e-3", "0.025"),
            ("-12.340", "-12.34"),
            (
                "12345678901234567890.12345678901234567890",
                "12345678901234567890.1234567890123456789",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Decimal::parse(text)
                    .map(|d| d.trimmed().to_string())
                    .as_deref(),
                Some(expected),
                "{text}"
            );
        }
        for text in [
            "", "-", ".5", "5.", "1e", "1e99999", "NaN", "0x1", "1_000", "+1", "--1",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_fit_never_loses_a_digit() {
        let fit = |text, p, s| {
            Decimal::parse(text)
                .and_then(|d| d.fitted(p, s))
                .map(|d| d.to_string())
        };
        assert_eq!(fit("1.1", 4, 2).as_deref(), Some("1.10"));
        assert_eq!(fit("0", 4, 2).as_deref(), Some("0.00"));
        assert_eq!(fit("0.05", 2, 2).as_deref(), Some("0.05"));
        assert_eq!(fit("1.105", 4, 2), None);
        assert_eq!(fit("100", 4, 2), None);
        assert_eq!(fit("99.990", 4, 2).as_deref(), Some("99.99"));
    }

    proptest! {
        #[test]
        fn integers_keep_their_order(a in any::<i64>(), b in any::<i64>()) {
            let parse = |n: i64| Decimal::parse(&n.to_string()).expect("an integer");
            prop_assert_eq!(parse(a).compare(&parse(b)), a.cmp(&b));
            prop_assert_eq!(parse(a).as_i64(), Some(a));
        }
    }
}
