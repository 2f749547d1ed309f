//! One setting of a switch, as the command line and the admin face give it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FaultName;

/// One switch turned on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSpec {
    /// Which switch.
    pub name: FaultName,
    /// Its value; null takes the default.
    #[serde(default)]
    pub value: Value,
    /// How many requests it hits before it goes off by itself; absent for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many matching requests pass before the first hit.
    #[serde(default)]
    pub after: u64,
    /// Only requests with this root field (`allClients`), or `token` for the token endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

impl FaultSpec {
    /// A switch that is on with its default value until it is cleared.
    pub fn new(name: FaultName) -> Self {
        FaultSpec {
            name,
            value: Value::Null,
            times: None,
            after: 0,
            operation: None,
        }
    }
}

impl FromStr for FaultSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('{') {
            return serde_json::from_str(text)
                .map_err(|error| format!("{error}; see `standin --help` for the names"));
        }
        let (name, value) = text.split_once('=').unwrap_or((text, "null"));
        let name = FaultName::from_str(name)?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        Ok(FaultSpec {
            value,
            ..FaultSpec::new(name)
        })
    }
}
