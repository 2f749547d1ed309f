//! A record as received and as transformed, side by side.

use console::{Alignment, pad_str, truncate_str};
use reconciler::{Rejection, Row};
use serde::Serialize;
use serde_json::Value;

/// One record as received and as it would land.
#[derive(Debug, Serialize)]
pub struct Previewed {
    /// The source's own id.
    pub source_id: String,
    /// As received.
    pub raw: Value,
    /// As it would land, before references and merge.
    pub row: Option<Row>,
    /// Why it would not land.
    pub rejection: Option<Rejection>,
    /// The rules that would only warn.
    pub warnings: Vec<String>,
}

/// The record in two columns of a screen `width` wide.
pub fn side_by_side(record: &Previewed, width: usize) -> String {
    let half = width.saturating_sub(3) / 2;
    let raw = serde_json::to_string_pretty(&record.raw).unwrap_or_default();
    let left: Vec<&str> = raw.lines().collect();
    let right = transformed(record);
    let rule = "─".repeat(width.saturating_sub(record.source_id.chars().count() + 4));
    let mut text = format!("── {} {rule}\n", record.source_id);
    for at in 0..left.len().max(right.len()) {
        let raw = pad_str(
            left.get(at).copied().unwrap_or_default(),
            half,
            Alignment::Left,
            Some("…"),
        );
        let row = truncate_str(right.get(at).map_or("", String::as_str), half, "…");
        text.push_str(format!("{raw} │ {row}").trim_end());
        text.push('\n');
    }
    text
}

fn transformed(record: &Previewed) -> Vec<String> {
    let columns = record.row.iter().flat_map(|row| row.0.iter());
    let mut lines: Vec<String> = columns
        .map(|(column, value)| format!("{column}: {}", shown(value)))
        .collect();
    if let Some(rejection) = &record.rejection {
        let place = rejection
            .at
            .as_ref()
            .map(|at| format!(" at {at}"))
            .unwrap_or_default();
        lines.push(format!("REJECTED {}{place}", rejection.code));
        lines.push(rejection.why.clone());
    } else if record.row.is_none() {
        lines.push("(no row)".to_owned());
    }
    lines.extend(record.warnings.iter().map(|warning| format!("! {warning}")));
    lines
}

/// Text without its quotes, unless they are all there is to see.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.trim().is_empty() => text.replace(['\n', '\r'], "⏎"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_sides_fit_the_screen() {
        let raw = json!({ "id": "cli_1", "name": "Conservatoire de musique du Québec à Montréal", "tags": [] });
        let mut row = Row::default();
        row.set("id", "cli_1");
        row.set("name", "Conservatoire de musique du Québec à Montréal");
        row.set("notes", "");
        row.set("phone", Value::Null);
        let warnings = vec!["client_without_mail: Ask for one.".to_owned()];
        let landing = Previewed {
            source_id: "cli_1".to_owned(),
            raw: raw.clone(),
            row: Some(row),
            rejection: None,
            warnings,
        };
        let rejection =
            Some(Rejection::new("not_a_day", "The day is not in the calendar.").at("taken_on"));
        let refused = Previewed {
            source_id: "cli_2".to_owned(),
            raw,
            row: None,
            rejection,
            warnings: Vec::new(),
        };
        insta::assert_snapshot!(format!(
            "{}{}",
            side_by_side(&landing, 64),
            side_by_side(&refused, 64)
        ));
    }
}
