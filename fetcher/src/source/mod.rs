//! A source: its address, credentials and limits, and one way to ask it.

mod account;
mod addresses;
mod body;
pub(crate) mod config;
pub(crate) mod exchange;
pub(crate) mod http_client;
pub(crate) mod limits;
pub(crate) mod open;
mod request_policy;
mod response_diagnostics;
mod retry;

pub use config::{AuthConfig, AuthKind, ConfigError, SecretRef, SourceConfig};
pub use limits::{Pauses, Presence, Priority, RateShare, Standing};
pub use open::Source;
pub use request_policy::{AccountConfig, BreakerConfig, Rate, RetryConfig};
pub use response_diagnostics::ResponseDiagnostics;
