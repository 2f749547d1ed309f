//! What is wrong with a module folder: file, line, problem and remedy.

use std::fmt;

/// One fault in a module folder, with the place to mend and how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ModuleError {
    /// The file, as given or `builtin:<source>/<module>/<file>`.
    pub file: String,
    /// Line from 1, where known.
    pub line: Option<usize>,
    /// Column from 1, where known.
    pub column: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(
            f,
            ": {}. {}",
            self.problem.trim_end_matches('.'),
            self.remedy
        )
    }
}

impl ModuleError {
    /// A fault of a whole file or folder.
    pub(super) fn of_file(
        file: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        ModuleError {
            file: file.to_owned(),
            line: None,
            column: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The same fault at the line where `key` is written, or unplaced where it is not.
    pub(super) fn at_key(mut self, yaml: &str, keys: &[&str]) -> Self {
        let mut from = 0;
        for key in keys {
            let found = yaml
                .lines()
                .enumerate()
                .skip(from)
                .find_map(|(number, text)| {
                    let column = key_column(text, key)?;
                    Some((number, column))
                });
            let Some((number, column)) = found else { break };
            self.line = Some(number + 1);
            self.column = Some(column);
            from = number;
        }
        self
    }

    /// Reads the YAML reader's message: place, and for an unknown key the nearest known one.
    pub(super) fn of_yaml(file: &str, error: &serde_norway::Error) -> Self {
        let place = error.location();
        let text = error.to_string();
        let text = match text.rfind(" at line ") {
            Some(end) if place.is_some() => &text[..end],
            _ => &text[..],
        };
        let (problem, remedy) = explain(text);
        ModuleError {
            file: file.to_owned(),
            line: place.as_ref().map(serde_norway::Location::line),
            column: place.as_ref().map(serde_norway::Location::column),
            problem,
            remedy,
        }
    }
}

/// The column from 1 where `key:` stands on a line, at its start or inside `{ … }`.
fn key_column(line: &str, key: &str) -> Option<usize> {
    let code = line.split(" #").next().unwrap_or(line);
    code.match_indices(key).find_map(|(at, _)| {
        let before = code[..at].chars().next_back();
        let opens = before.is_none_or(|c| c.is_whitespace() || matches!(c, '{' | ',' | '-'));
        let closes = code[at + key.len()..].starts_with(':');
        (opens && closes).then(|| code[..at].chars().count() + 1)
    })
}

/// Splits the reader's message into problem and remedy.
fn explain(text: &str) -> (String, String) {
    let names: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let (Some(given), true) = (
        names.first(),
        text.contains("unknown field") || text.contains("unknown variant"),
    ) else {
        // Our own messages end in the remedy.
        if let Some((problem, remedy)) = text.split_once("; write ") {
            return (problem.to_owned(), format!("Write {remedy}."));
        }
        let plain = text
            .replace("expected u32", "expected a whole number")
            .replace("expected u64", "expected a whole number");
        let remedy = remedy_for(text, &names);
        return (plain, remedy);
    };
    let known = &names[1..];
    let problem = match text.split_once(": unknown") {
        Some((place, _)) => format!("{place} does not know `{given}`"),
        None => format!("`{given}` is not known here"),
    };
    (problem, one_of(given, known))
}

/// What to write in place of an unknown name.
pub fn one_of(given: &str, known: &[&str]) -> String {
    let list: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let list = list.join(", ");
    match nearest(given, known) {
        Some(name) => format!("Did you mean `{name}`? Known are {list}."),
        None => format!("Remove it, or use one of {list}."),
    }
}

fn remedy_for(text: &str, names: &[&str]) -> String {
    if text.contains("missing field") {
        return format!("Add `{}:` here.", names.first().unwrap_or(&"the field"));
    }
    if text.contains("duplicate entry") || text.contains("duplicate field") {
        return "Keep one of the two.".to_owned();
    }
    if text.contains("invalid type") || text.contains("invalid value") {
        return "Write a value of the expected kind.".to_owned();
    }
    "Correct this line; two spaces indent one level.".to_owned()
}

/// The known name nearest to what was written, if one is near enough to be meant.
pub fn nearest<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(given, name), *name))
        .filter(|(distance, name)| *distance <= name.len().max(given.len()).div_ceil(5))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
