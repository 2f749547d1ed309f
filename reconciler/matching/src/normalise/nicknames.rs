//! Given names and their nicknames, in French and in English.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// One line per name: the full name, then its short and familiar forms and its equivalents in the other
/// language.
const TABLE: &str = include_str!("nicknames.txt");

static GROUPS: LazyLock<FxHashMap<String, Vec<u16>>> = LazyLock::new(|| {
    let mut groups: FxHashMap<String, Vec<u16>> = FxHashMap::default();
    for (number, line) in TABLE.lines().filter(|line| !line.is_empty()).enumerate() {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        for name in line.split(' ') {
            let of = groups.entry(name.replace('-', " ")).or_default();
            if of.last() != Some(&number) {
                of.push(number);
            }
        }
    }
    groups
});

/// The numbers of the names that a folded given name may stand for.
pub fn groups_of(given: &str) -> &'static [u16] {
    GROUPS.get(given).map_or(&[], Vec::as_slice)
}

static HEADS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|head| !head.is_empty())
        .collect()
});

/// The most likely full name of a given name; the name itself if it is unknown.
pub fn root(given: &str) -> &str {
    let spelled = given.replace(' ', "-");
    let groups = groups_of(given);
    if groups
        .iter()
        .any(|group| HEADS[usize::from(*group)] == spelled)
    {
        return given;
    }
    groups
        .first()
        .map_or(given, |group| HEADS[usize::from(*group)])
}

/// Whether one name may stand for the other.
pub fn related(one: &str, other: &str) -> bool {
    let (one, other) = (groups_of(one), groups_of(other));
    one.iter().any(|group| other.contains(group))
}

/// Whether a folded word is a known given name.
pub fn is_given(word: &str) -> bool {
    GROUPS.contains_key(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_nicknames() {
        let cases = [
            ("william", "bill", true),
            ("bill", "willy", true),
            ("guillaume", "will", true),
            ("robert", "bob", true),
            ("jean francois", "jf", true),
            ("elizabeth", "betty", true),
            ("catherine", "kathy", true),
            ("robert", "bill", false),
            ("marie", "claude", false),
            ("zebulon", "zeb", false),
        ];
        for (one, other, expected) in cases {
            assert_eq!(related(one, other), expected, "{one} {other}");
            assert_eq!(related(other, one), expected, "{other} {one}");
        }
    }
}
