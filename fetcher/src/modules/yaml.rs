//! Positions of keys in a YAML text, and the YAML parser's messages as diagnostics.

use crate::diagnostic::Diagnostic;
use crate::nearest::one_of;

/// Line and column, from 1, of the last of these keys that is found; each is sought after the one before it.
pub(super) fn position_of(yaml: &str, keys: &[&str]) -> Option<(usize, usize)> {
    let mut position = None;
    let mut from = 0;
    for key in keys {
        let mut lines = yaml.lines().enumerate().skip(from);
        let Some((line, column)) =
            lines.find_map(|(line, text)| Some((line, key_column(text, key)?)))
        else {
            break;
        };
        position = Some((line + 1, column));
        from = line;
    }
    position
}

/// Turns the YAML parser's error into a diagnostic; an unknown key is answered with the nearest known one.
pub(super) fn diagnostic_of(file: &str, error: &serde_norway::Error) -> Diagnostic {
    let position = error.location();
    let text = error.to_string();
    let text = match text.rfind(" at line ") {
        Some(end) if position.is_some() => &text[..end],
        _ => &text[..],
    };
    let (problem, remedy) = explain(text);
    Diagnostic::of_file(file, problem, remedy).at(position.map(|at| (at.line(), at.column())))
}

/// The column, from 1, of `key:` on a line, at its start or inside `{ … }`.
fn key_column(line: &str, key: &str) -> Option<usize> {
    let code = line.split(" #").next().unwrap_or(line);
    code.match_indices(key).find_map(|(at, _)| {
        let before = code[..at].chars().next_back();
        let opens = before.is_none_or(|c| c.is_whitespace() || matches!(c, '{' | ',' | '-'));
        let closes = code[at + key.len()..].starts_with(':');
        (opens && closes).then(|| code[..at].chars().count() + 1)
    })
}

/// Splits the parser's message into problem and remedy.
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
