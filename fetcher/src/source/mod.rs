//! A source: its address, credentials and limits, and one way to ask it.

mod account;
mod addresses;
mod body;
mod config;
mod exchange;
mod limits;
mod noticed;
mod open;
mod retry;
mod rules;

pub use account::AccountConfig;
pub use config::{AuthConfig, AuthKind, ConfigError, SecretRef, SourceConfig};
pub(crate) use config::{check_url, read_secret};
pub(crate) use exchange::Question;
pub(crate) use limits::{Hints, PointsHint};
pub use limits::{Part, Pauses, Presence, Priority, Standing};
pub use noticed::Noticed;
pub use open::Source;
pub use rules::{BreakerConfig, Rate, RetryConfig};
