//! The result of a command.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use crate::terminal_escape::escape;

/// A command's outcome: for people, for machines, and the exit code.
#[derive(Debug)]
pub struct Answer {
    text: String,
    json: serde_json::Value,
    exit: u8,
}

impl Answer {
    /// An outcome that ends with 0.
    pub fn new(text: impl Into<String>, json: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            text: text.into(),
            json: serde_json::to_value(json)?,
            exit: 0,
        })
    }

    /// An outcome that prints nothing more.
    pub fn silent(exit: u8) -> Self {
        Self {
            text: String::new(),
            json: serde_json::Value::Null,
            exit,
        }
    }

    /// The same outcome with another exit code.
    pub fn ending_with(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }

    /// The same outcome with a text before it; in JSON, both in one object.
    pub fn preceded_by(mut self, text: String, mut json: serde_json::Value) -> Self {
        json["check"] = self.json;
        self.json = json;
        self.text = text + &self.text;
        self
    }

    /// Prints it, and returns its exit code. A closed pipe (`| head`) is no error.
    pub fn print(self, json: bool) -> anyhow::Result<u8> {
        if self.json.is_null() && self.text.is_empty() {
            return Ok(self.exit);
        }
        let text = if json {
            serde_json::to_string_pretty(&self.json)?
        } else {
            self.text
        };
        let text = escape(&text);
        let mut out = std::io::stdout().lock();
        let newline = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        match write!(out, "{text}{newline}").and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(self.exit),
        }
    }
}
