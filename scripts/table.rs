//! Text tables, as wide as the terminal allows.

use std::fmt;

use console::{Alignment, measure_text_width, pad_str, truncate_str};

/// Rows of text below headings. Columns of numbers are right-aligned; the last column may be long.
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    width: usize,
}

/// The terminal's width, or wide enough for a file.
pub fn terminal_width() -> usize {
    let terminal = console::Term::stdout();
    if terminal.is_term() {
        usize::from(terminal.size().1).max(60)
    } else {
        160
    }
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
            width: terminal_width(),
        }
    }

    /// The same table, for a screen of this width.
    pub fn within(mut self, width: usize) -> Self {
        self.width = width;
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row| row.get(at))
                .map(|cell| measure_text_width(cell));
            cells.chain([self.headings[at].len()]).max().unwrap_or(0)
        };
        (0..self.headings.len()).map(widest).collect()
    }

    fn is_number(&self, at: usize) -> bool {
        let cells: Vec<&String> = self
            .rows
            .iter()
            .filter_map(|row| row.get(at))
            .filter(|cell| !cell.is_empty() && *cell != "-")
            .collect();
        !cells.is_empty()
            && cells.iter().all(|cell| {
                cell.chars()
                    .all(|c| c.is_ascii_digit() || c == '.' || c == '-')
            })
    }
}

/// Without line breaks and other control characters.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let last = widths.len().saturating_sub(1);
        let aligned: Vec<Alignment> = (0..=last)
            .map(|at| {
                if self.is_number(at) {
                    Alignment::Right
                } else {
                    Alignment::Left
                }
            })
            .collect();
        let mut line = |cells: &[String]| {
            let mut text = String::new();
            for (at, cell) in cells.iter().enumerate() {
                if at > 0 {
                    text.push_str("  ");
                }
                text.push_str(&pad_str(cell, widths[at], aligned[at], None));
            }
            writeln!(f, "{}", truncate_str(text.trim_end(), self.width, "…"))
        };
        line(
            &self
                .headings
                .iter()
                .map(|heading| (*heading).to_owned())
                .collect::<Vec<_>>(),
        )?;
        self.rows.iter().try_for_each(|row| line(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_long_lines_end() {
        let mut table = Table::new(&["module", "rows", "cause"]).within(40);
        table.row([
            "clients".to_owned(),
            "4000".to_owned(),
            "Éric's page\nis broken and says so at length".to_owned(),
        ]);
        table.row(["pianos".to_owned(), "7".to_owned(), String::new()]);
        let expected =
            "module   rows  cause\nclients  4000  Éric's page is broken an…\npianos      7\n";
        assert_eq!(table.to_string(), expected);
    }
}
