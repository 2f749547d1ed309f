//! The error message of a TOML or YAML parser, as a problem and a remedy.

use fetcher::one_of;

/// Splits a parser's message; for an unknown key it suggests the nearest known one.
pub fn explain(message: &str) -> (String, String) {
    let place = message.rfind(" at line ").unwrap_or(message.len());
    let message = message[..place].trim_end_matches('.').replace('\n', ", ");
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let unknown = message.contains("unknown field") || message.contains("unknown variant");
    if let (true, Some((given, known))) = (unknown, names.split_first()) {
        return (format!("`{given}` is not known here"), one_of(given, known));
    }
    let remedy = match names.first() {
        Some(name) if message.contains("missing field") => format!("Add `{name}` to this section."),
        _ if message.contains("invalid type") || message.contains("invalid value") => {
            "Write a value of the expected kind.".to_owned()
        }
        _ if message.contains("duplicate") => "Keep one of the two.".to_owned(),
        _ => "Correct this line: quotes, brackets and indentation.".to_owned(),
    };
    (message, remedy)
}
