//! Reads records from files: CSV with a header, or JSON lines.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Errors in reading a file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened or read.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Its CSV is invalid.
    #[error("{path}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// Its JSON is invalid.
    #[error("{path}, line {line}")]
    Json {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
    /// A column of the specification is missing.
    #[error("{path} has no column `{column}`; it has {columns}")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// The columns it has.
        columns: String,
    },
    /// It has more than four gigabytes of text.
    #[error("{path} is larger than four gigabytes; match it in parts")]
    Size {
        /// The file.
        path: PathBuf,
    },
}

/// The columns of a file that a specification needs.
#[derive(Debug, Default)]
pub struct Table {
    width: usize,
    text: String,
    ends: Vec<u32>,
}

impl Table {
    /// Reads the columns of a file: CSV if its name ends in `.csv`, else JSON lines.
    pub fn read(path: &Path, columns: &[String]) -> Result<Self, TableError> {
        let mut table = Self {
            width: columns.len(),
            ..Self::default()
        };
        if path.extension().is_some_and(|extension| extension == "csv") {
            table.read_csv(path, columns)?;
        } else {
            table.read_json(path, columns)?;
        }
        Ok(table)
    }

    fn read_csv(&mut self, path: &Path, columns: &[String]) -> Result<(), TableError> {
        let failed = |source| TableError::Csv {
            path: path.to_owned(),
            source,
        };
        let mut reader = csv::ReaderBuilder::new()
            .buffer_capacity(1 << 20)
            .flexible(true)
            .from_path(path)
            .map_err(failed)?;
        let names = reader.headers().map_err(failed)?.clone();
        let mut places = Vec::new();
        for column in columns {
            let place = names
                .iter()
                .position(|name| name.trim_start_matches('\u{feff}') == column);
            places.push(place.ok_or_else(|| TableError::Column {
                path: path.to_owned(),
                column: column.clone(),
                columns: names.iter().collect::<Vec<_>>().join(", "),
            })?);
        }
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(failed)? {
            let whole = std::str::from_utf8(record.as_slice()).unwrap_or_default();
            for place in &places {
                let range = record.range(*place).unwrap_or_default();
                match whole.get(range.clone()) {
                    Some(value) => self.push(path, value)?,
                    None => self.push(path, &String::from_utf8_lossy(&record.as_slice()[range]))?,
                }
            }
        }
        Ok(())
    }

    fn read_json(&mut self, path: &Path, columns: &[String]) -> Result<(), TableError> {
        let failed = |source| TableError::File {
            path: path.to_owned(),
            source,
        };
        let file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
        for (line, text) in file.lines().enumerate() {
            let text = text.map_err(failed)?;
            if text.trim().is_empty() {
                continue;
            }
            let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)
                .map_err(|source| TableError::Json {
                    path: path.to_owned(),
                    line: line + 1,
                    source,
                })?;
            for column in columns {
                match record.get(column) {
                    None | Some(serde_json::Value::Null) => self.push(path, "")?,
                    Some(serde_json::Value::String(value)) => self.push(path, value)?,
                    Some(other) => self.push(path, &other.to_string())?,
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, path: &Path, value: &str) -> Result<(), TableError> {
        self.text.push_str(value);
        let end = u32::try_from(self.text.len()).map_err(|_| TableError::Size {
            path: path.to_owned(),
        })?;
        self.ends.push(end);
        Ok(())
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len() / self.width.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// A value.
    pub fn value(&self, record: usize, column: usize) -> &str {
        let at = record * self.width + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.text[start as usize..self.ends[at] as usize]
    }

    /// The values of a record.
    pub fn values(&self, record: usize) -> Vec<&str> {
        (0..self.width)
            .map(|column| self.value(record, column))
            .collect()
    }
}
