//! String similarity.

use crate::base::FOREIGN;

/// Jaro-Winkler similarity; it is symmetric.
pub fn jaro_winkler(one: &str, other: &str) -> f32 {
    let (one, other) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    if one.len() <= 64 && other.len() <= 64 && one.is_ascii() && other.is_ascii() {
        return bytes(one.as_bytes(), other.as_bytes());
    }
    strsim::jaro_winkler(one, other) as f32
}

/// An upper bound of the Jaro-Winkler similarity from only the symbols and lengths of two texts: a letter
/// that the other lacks cannot match.
pub fn at_most([one, other]: [(u64, u32); 2]) -> f32 {
    if (one.0 | other.0) & FOREIGN != 0 {
        return 1.0;
    }
    let left = |(symbols, length): (u64, u32), there: u64| {
        length.saturating_sub((symbols & !there).count_ones())
    };
    let found = left(one, other.0).min(left(other, one.0)) as f32;
    let jaro = (found / one.1.max(1) as f32 + found / other.1.max(1) as f32 + 1.0) / 3.0;
    // Slightly higher, so that rounding never decides.
    jaro + 0.4 * (1.0 - jaro) + 1e-4
}

/// The same for short ASCII texts, with matched letters as bits.
fn bytes(one: &[u8], other: &[u8]) -> f32 {
    if one.is_empty() || other.is_empty() {
        return if one.len() == other.len() { 1.0 } else { 0.0 };
    }
    let reach = (one.len().max(other.len()) / 2).saturating_sub(1);
    let (mut in_one, mut in_other) = (0_u64, 0_u64);
    for (at, letter) in one.iter().enumerate() {
        let low = at.saturating_sub(reach);
        let high = (at + reach + 1).min(other.len());
        for (there, candidate) in other.iter().enumerate().take(high).skip(low) {
            if in_other >> there & 1 == 0 && candidate == letter {
                in_one |= 1 << at;
                in_other |= 1 << there;
                break;
            }
        }
    }
    let found = in_one.count_ones();
    if found == 0 {
        return 0.0;
    }
    let (mut first, mut second, mut turned) = (in_one, in_other, 0_u32);
    while first != 0 {
        turned += u32::from(
            one[first.trailing_zeros() as usize] != other[second.trailing_zeros() as usize],
        );
        first &= first - 1;
        second &= second - 1;
    }
    let found = found as f32;
    let jaro = (found / one.len() as f32
        + found / other.len() as f32
        + (found - (turned / 2) as f32) / found)
        / 3.0;
    let prefix = one
        .iter()
        .zip(other)
        .take(4)
        .take_while(|(a, b)| a == b)
        .count();
    if jaro > 0.7 {
        jaro + 0.1 * prefix as f32 * (1.0 - jaro)
    } else {
        jaro
    }
}

/// Edit distance: letters to change, add, drop or transpose; `most + 1` if it exceeds `most`.
pub fn edits(one: &str, other: &str, most: usize) -> usize {
    if !one.is_ascii() || !other.is_ascii() {
        return strsim::osa_distance(one, other).min(most + 1);
    }
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > most {
        return most + 1;
    }
    // A common prefix and suffix cost nothing.
    let ahead = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    (one, other) = (&one[ahead..], &other[ahead..]);
    let behind = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    (one, other) = (&one[..one.len() - behind], &other[..other.len() - behind]);
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    if short == 0 {
        return long.min(most + 1);
    }
    if long == 1 || one.len() == 2 && other.len() == 2 && one[0] == other[1] && one[1] == other[0] {
        return 1;
    }
    if most < 2 {
        return most + 1;
    }
    distance(one, other).min(most + 1)
}

/// Optimal string alignment distance, for texts of any length; short ones need no allocation.
fn distance(one: &[u8], other: &[u8]) -> usize {
    const SHORT: usize = 64;
    let width = other.len() + 1;
    let (mut short, mut long) = ([0; 3 * (SHORT + 1)], Vec::new());
    let rows = match other.len() <= SHORT {
        true => &mut short[..3 * width],
        false => {
            long.resize(3 * width, 0);
            &mut long[..]
        }
    };
    let place = |row: usize, column: usize| row % 3 * width + column;
    for (column, first) in rows[..width].iter_mut().enumerate() {
        *first = column;
    }
    for (at, letter) in one.iter().enumerate() {
        rows[place(at + 1, 0)] = at + 1;
        for (there, candidate) in other.iter().enumerate() {
            let changed = rows[place(at, there)] + usize::from(letter != candidate);
            let added = rows[place(at + 1, there)] + 1;
            let dropped = rows[place(at, there + 1)] + 1;
            let mut fewest = changed.min(added).min(dropped);
            if at > 0 && there > 0 && *letter == other[there - 1] && one[at - 1] == *candidate {
                fewest = fewest.min(rows[place(at + 2, there - 1)] + 1);
            }
            rows[place(at + 1, there + 1)] = fewest;
        }
    }
    rows[place(one.len(), other.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_strsim_has_it() {
        let words = [
            "martha",
            "marhta",
            "dwayne",
            "duane",
            "dixon",
            "dicksonx",
            "a",
            "",
            "tremblay",
            "trembaly",
            "jean francois",
        ];
        for one in words {
            for other in words {
                let (low, high) = if one <= other {
                    (one, other)
                } else {
                    (other, one)
                };
                let expected = strsim::jaro_winkler(low, high) as f32;
                assert!(
                    (jaro_winkler(one, other) - expected).abs() < 1e-5,
                    "{one} {other} {} {expected}",
                    jaro_winkler(one, other)
                );
            }
        }
    }

    #[test]
    fn edits_as_strsim_has_them() {
        let words = [
            "", "a", "roy", "ryo", "royer", "tremblay", "trembaly", "tremblai", "rtemblay",
            "abcdef", "xbcdey", "côté", "cote",
        ];
        for one in words {
            for other in words {
                for most in 1..4 {
                    let expected = strsim::osa_distance(one, other).min(most + 1);
                    assert_eq!(edits(one, other, most), expected, "{one} {other} {most}");
                }
            }
        }
    }

    #[test]
    fn edits_are_bounded() {
        for (one, other, expected) in [
            ("roy", "roy", 0),
            ("roy", "ryo", 1),
            ("roy", "royer", 2),
            ("roy", "lapointe", 3),
        ] {
            assert_eq!(edits(one, other, 2), expected, "{one} {other}");
        }
    }
}
