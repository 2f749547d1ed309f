//! Dotted paths into answers and records.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// A dotted path, `edges.node` or `.id`; the empty path is the value itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<String>);

impl Path {
    /// Reads a path; a leading dot is allowed, an empty segment is not.
    pub fn parse(text: &str) -> Result<Path, String> {
        let inner = text.strip_prefix('.').unwrap_or(text);
        if inner.is_empty() {
            return Ok(Path::default());
        }
        let legal = |segment: &str| {
            !segment.is_empty() && segment.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        if !inner.split('.').all(legal) {
            return Err(format!(
                "`{text}` is not a path; write names separated by single dots, as in `defaultContact.id`"
            ));
        }
        Ok(Path(inner.split('.').map(str::to_owned).collect()))
    }

    /// The names, outermost first.
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Whether the path is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rest of this path below a shorter one.
    pub(crate) fn below(&self, outer: &Path) -> Option<Path> {
        let rest = self.0.strip_prefix(outer.0.as_slice())?;
        (!rest.is_empty()).then(|| Path(rest.to_vec()))
    }

    /// This path followed by another.
    pub fn join(&self, below: &Path) -> Path {
        Path(self.0.iter().chain(&below.0).cloned().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PathVisitor)
    }
}

/// Fails inside `visit_str`, where the YAML parser still knows line and column.
struct PathVisitor;

impl Visitor<'_> for PathVisitor {
    type Value = Path;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dotted path such as `edges.node`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Path, E> {
        Path::parse(text).map_err(E::custom)
    }
}

/// Where a record's id is: one path, or several whose values are joined with `:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPath(pub Vec<Path>);

/// Joins the parts of an id with `:` so that different parts of one number give different ids.
///
/// A `:` in the last part is harmless, as the separators come first. Where an earlier part holds one, or
/// could be read as one that is escaped, every `:` and `\` of every part is escaped with `\`. All other ids
/// are the plain parts.
pub(crate) fn join_id(parts: &[Cow<'_, str>]) -> String {
    let Some((last, earlier)) = parts.split_last() else {
        return String::new();
    };
    let looks_escaped = last.contains(':') && earlier.iter().any(|part| part.ends_with('\\'));
    if !looks_escaped && !earlier.iter().any(|part| part.contains(':')) {
        return parts.join(":");
    }
    let escaped: Vec<String> = parts
        .iter()
        .map(|part| part.replace('\\', r"\\").replace(':', r"\:"))
        .collect();
    escaped.join(":")
}

impl Default for IdPath {
    fn default() -> Self {
        IdPath(vec![Path(vec!["id".to_owned()])])
    }
}

impl<'de> Deserialize<'de> for IdPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl<'de> Visitor<'de> for IdVisitor {
    type Value = IdPath;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path such as `.id`, or a list of paths")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IdPath, E> {
        let path = Path::parse(text).map_err(E::custom)?;
        if path.is_empty() {
            return Err(E::custom("`id` is empty; name the field, as in `.id`"));
        }
        Ok(IdPath(vec![path]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<IdPath, A::Error> {
        let mut paths = Vec::new();
        while let Some(path) = list.next_element::<Path>()? {
            paths.push(path);
        }
        if paths.is_empty() || paths.iter().any(Path::is_empty) {
            return Err(A::Error::custom(
                "`id` needs at least one path, as in `[.bookingId, .line]`",
            ));
        }
        Ok(IdPath(paths))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn joined(parts: &[&str]) -> String {
        let parts: Vec<Cow<'_, str>> = parts.iter().map(|part| Cow::from(*part)).collect();
        join_id(&parts)
    }

    #[test]
    fn ids_of_different_parts_differ() {
        assert_ne!(joined(&["a:b", "c"]), joined(&["a", "b:c"]));
        // Every id of two parts of up to four characters each, and of three parts of up to two.
        for number in [2, 3] {
            let mut texts = vec![String::new()];
            let mut found = HashMap::new();
            let most = if number == 2 { 4 } else { 2 };
            for length in 0..most {
                for at in 0..texts.len() {
                    let longer = |c: char| format!("{}{c}", texts[at]);
                    if texts[at].len() == length {
                        texts.extend(['a', ':', '\\'].map(longer));
                    }
                }
            }
            let texts = texts
                .iter()
                .map(String::as_str)
                .filter(|text| !text.is_empty());
            let texts: Vec<&str> = texts.collect();
            let mut rows: Vec<Vec<&str>> = vec![Vec::new()];
            for _ in 0..number {
                rows = rows
                    .iter()
                    .flat_map(|row| texts.iter().map(|text| [row.clone(), vec![*text]].concat()))
                    .collect();
            }
            for row in rows {
                if let Some(other) = found.insert(joined(&row), row.clone()) {
                    panic!("{row:?} and {other:?} have one id");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn ids_of_parts_without_a_colon_stay_as_they_are(
            parts in prop::collection::vec("[^:]{1,6}", 1..4),
        ) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            prop_assert_eq!(joined(&parts), parts.join(":"));
        }
    }
}
