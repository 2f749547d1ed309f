//! What a GraphQL answer reports in its `errors`.

use std::fmt;

use serde::Deserialize;

/// One entry of a GraphQL answer's `errors`, redacted and shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphQlError {
    /// The source's message.
    pub message: String,
    /// Where in the answer, dotted.
    pub path: String,
    /// `extensions.code`, where given.
    pub code: Option<String>,
    /// Whether the error has `locations` in the query, as errors in the query do.
    pub located: bool,
}

impl GraphQlError {
    /// Whether it says that the requested record does not exist. Some sources report an error, others return
    /// null.
    pub(crate) fn says_not_found(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        code.contains("not_found") || self.message.to_lowercase().contains("not found")
    }

    /// Whether the query is too deep, which a smaller page does not fix.
    pub(super) fn is_about_depth(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        let message = self.message.to_lowercase();
        ["depth", "too deep", "deeply nested"]
            .iter()
            .any(|known| message.contains(known) || code.replace('_', " ").contains(known))
    }

    /// Whether the query asks for too much at once.
    pub(super) fn is_about_size(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        let message = self.message.to_lowercase();
        let codes = ["max_cost_exceeded", "max_node_limit_exceeded", "complex"];
        let words = [
            "complexity",
            "node limit",
            "max cost",
            "maximum cost",
            "too many nodes",
            "too many records",
        ];
        codes.iter().any(|known| code.contains(known))
            || words.iter().any(|known| message.contains(known))
    }
}

impl fmt::Display for GraphQlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}”", self.message)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

/// An entry of `errors`, as received.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentError {
    pub message: Option<String>,
    pub path: Option<Vec<serde_json::Value>>,
    pub locations: Option<Vec<serde::de::IgnoredAny>>,
    pub extensions: Option<SentExtensions>,
    /// Some sources send the code here instead of in `extensions.code`.
    #[serde(rename = "type")]
    pub kind: Option<serde_json::Value>,
}

/// The parts of an error's `extensions` that decide.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentExtensions {
    pub code: Option<serde_json::Value>,
}
