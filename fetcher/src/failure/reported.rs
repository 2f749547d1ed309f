//! What a GraphQL answer reports in its `errors`.

use std::fmt;

use serde::Deserialize;

/// One entry of a GraphQL answer's `errors`, redacted and shortened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphQlError {
    /// The source's own words.
    pub message: String,
    /// Where in the answer, dotted.
    pub path: String,
    /// `extensions.code`, where given.
    pub code: Option<String>,
    /// Whether the source points at a place in the query, as it does when the query is at fault.
    pub located: bool,
}

impl GraphQlError {
    /// What is asked for is not there: some sources say so in an error, others answer null.
    pub(crate) fn says_not_found(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        code.contains("not_found") || self.message.to_lowercase().contains("not found")
    }

    /// A complaint about how deep the query goes, which no smaller page mends.
    pub(super) fn is_about_depth(&self) -> bool {
        let code = self.code.as_deref().unwrap_or_default().to_lowercase();
        let message = self.message.to_lowercase();
        ["depth", "too deep", "deeply nested"]
            .iter()
            .any(|known| message.contains(known) || code.replace('_', " ").contains(known))
    }

    /// A complaint about how much the query asks for at once.
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

/// An entry of `errors` as sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentError {
    pub message: Option<String>,
    pub path: Option<Vec<serde_json::Value>>,
    pub locations: Option<Vec<serde::de::IgnoredAny>>,
    pub extensions: Option<SentExtensions>,
    /// Where some sources put what others call `extensions.code`.
    #[serde(rename = "type")]
    pub kind: Option<serde_json::Value>,
}

/// The parts of an error's `extensions` that decide.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SentExtensions {
    pub code: Option<serde_json::Value>,
}
