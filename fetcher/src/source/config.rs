//! `[sources.NAME]` of `concord.toml`.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::addresses::{is_this_machine, private_literal};
use super::request_policy::{AccountConfig, BreakerConfig, Rate, RetryConfig};
use crate::auth::secret::Secret;

/// Where a source is, how to log in and how fast it may be asked. Secrets are only referred to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// The GraphQL endpoint, with its trailing slash where the source wants one.
    pub endpoint: String,
    /// How to log in.
    #[serde(default)]
    pub auth: AuthConfig,
    /// How fast the source may be asked, over all modules together.
    #[serde(default)]
    pub rate: Rate,
    /// When to retry after a transient failure.
    #[serde(default)]
    pub retry: RetryConfig,
    /// When to stop asking a failing source for a while.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// Seconds one request may take, its whole body included.
    #[serde(default = "timeout_seconds")]
    pub timeout_seconds: u64,
    /// Seconds a connection may take to open.
    #[serde(default = "connect_timeout_seconds")]
    pub connect_timeout_seconds: u64,
    /// Bytes one answer may have, after decompression.
    #[serde(default = "max_body_bytes")]
    pub max_body_bytes: usize,
    /// Bytes per second an answer must come in, at least, over ten seconds.
    #[serde(default = "slowest_bytes_per_second")]
    pub slowest_bytes_per_second: u64,
    /// Further headers that hold no secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How often each module must complete a run; without it, no module is ever late.
    #[serde(default, deserialize_with = "crate::length::read_some")]
    pub expected_every: Option<Duration>,
    /// How many of its modules one program reads at the same time, parents before children.
    #[serde(default = "modules_at_once")]
    pub modules_at_once: NonZero<usize>,
    /// Settings for single modules of the source.
    #[serde(default)]
    pub modules: BTreeMap<String, ModuleConfig>,
    /// How to ask for the account's id, so that two accounts are never mixed.
    pub account: Option<AccountConfig>,
    /// Allows plain http to another machine.
    #[serde(default)]
    pub allow_http: bool,
    /// Allows a source whose name or address is in a private network.
    #[serde(default)]
    pub allow_private: bool,
    /// Where the processes of this host share the limiter's state; not a key of the file.
    #[serde(skip)]
    pub limits_folder: Option<PathBuf>,
}

fn timeout_seconds() -> u64 {
    60
}

fn connect_timeout_seconds() -> u64 {
    10
}

fn slowest_bytes_per_second() -> u64 {
    128
}

fn modules_at_once() -> NonZero<usize> {
    NonZero::<usize>::MIN
}

fn max_body_bytes() -> usize {
    64 << 20
}

impl SourceConfig {
    /// A configuration with every default, for an endpoint that needs no login.
    pub fn new(endpoint: impl Into<String>) -> SourceConfig {
        SourceConfig {
            endpoint: endpoint.into(),
            auth: AuthConfig::default(),
            rate: Rate::default(),
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            timeout_seconds: timeout_seconds(),
            connect_timeout_seconds: connect_timeout_seconds(),
            max_body_bytes: max_body_bytes(),
            slowest_bytes_per_second: slowest_bytes_per_second(),
            headers: BTreeMap::new(),
            expected_every: None,
            modules_at_once: modules_at_once(),
            modules: BTreeMap::new(),
            account: None,
            allow_http: false,
            allow_private: false,
            limits_folder: None,
        }
    }

    /// How often this module must complete a run.
    pub fn expected_every(&self, module: &str) -> Option<Duration> {
        let own = self.modules.get(module);
        own.and_then(|own| own.expected_every)
            .or(self.expected_every)
    }
}

/// `[sources.NAME.modules.MODULE]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleConfig {
    /// How often this module must complete a run.
    #[serde(default, deserialize_with = "crate::length::read_some")]
    pub expected_every: Option<Duration>,
}

/// The ways to log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// No credentials.
    #[default]
    None,
    /// A secret in a header of its own.
    Header,
    /// A fixed `Authorization: Bearer` token.
    Bearer,
    /// OAuth2: a stored token pair, refreshed when it expires; begun by `concord source login`.
    Oauth2Refresh,
    /// OAuth2: a token for the client itself.
    Oauth2ClientCredentials,
}

/// How to log in; which keys are needed depends on `kind`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The way.
    #[serde(default)]
    pub kind: AuthKind,
    /// The header's name, for `header`.
    pub name: Option<String>,
    /// What stands before the secret in that header, such as `Token `.
    pub prefix: Option<String>,
    /// The environment variable that holds the key, token or client secret.
    pub secret_env: Option<String>,
    /// The file that holds it.
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds a first refresh token.
    pub refresh_token_env: Option<String>,
    /// The file that holds it.
    pub refresh_token_file: Option<PathBuf>,
    /// Where tokens are issued.
    pub token_url: Option<String>,
    /// Where a person grants access.
    pub authorize_url: Option<String>,
    /// The client's public identifier.
    pub client_id: Option<String>,
    /// Scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Sends the client secret in an `Authorization: Basic` header instead of the form.
    #[serde(default)]
    pub basic_client_auth: bool,
    /// When the key, token or client secret ends: an instant, or the beginning of a day in UTC.
    #[serde(default, deserialize_with = "instant")]
    pub expires_at: Option<jiff::Timestamp>,
    /// How long a refresh token lasts after it was issued.
    #[serde(default, deserialize_with = "crate::length::read_some")]
    pub refresh_lasts: Option<Duration>,
    /// How long before either end it is shown; two weeks by default.
    #[serde(default, deserialize_with = "crate::length::read_some")]
    pub warn_before: Option<Duration>,
}

fn instant<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<jiff::Timestamp>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let day = || {
        let day: jiff::civil::Date = text.parse().ok()?;
        Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let read = text.parse().ok().or_else(day);
    read.map(Some).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is no instant; write \"2027-01-31\" or \"2027-01-31T12:00:00Z\""
        ))
    })
}

impl AuthConfig {
    /// The reference to the key, token or client secret.
    pub fn secret(&self) -> SecretRef {
        SecretRef {
            env: self.secret_env.clone(),
            file: self.secret_file.clone(),
        }
    }

    /// The reference to a first refresh token.
    pub fn refresh_token(&self) -> SecretRef {
        SecretRef {
            env: self.refresh_token_env.clone(),
            file: self.refresh_token_file.clone(),
        }
    }
}

/// Where a secret is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretRef {
    /// An environment variable.
    pub env: Option<String>,
    /// A file.
    pub file: Option<PathBuf>,
}

/// A source whose configuration cannot work.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is wrong or missing.
    #[error("source `{name}`: {problem}. {remedy}")]
    Invalid {
        /// The source.
        name: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A secret file cannot be read.
    #[error("source `{name}`: the secret file {} cannot be read. Create it, or correct `secret_file`.", file.display())]
    SecretFile {
        /// The source.
        name: String,
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The HTTP machinery does not start.
    #[error(
        "source `{name}`: the HTTP connection pool cannot be set up. Check the system's certificate store."
    )]
    Http {
        /// The source.
        name: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
}

pub(crate) fn invalid(
    name: &str,
    problem: impl Into<String>,
    remedy: impl Into<String>,
) -> ConfigError {
    ConfigError::Invalid {
        name: name.to_owned(),
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

/// Reads a secret; `None` where nothing refers to one.
pub(crate) fn read_secret(
    name: &str,
    reference: &SecretRef,
) -> Result<Option<Secret>, ConfigError> {
    let (text, place) = match (&reference.env, &reference.file) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                name,
                "a secret is referred to both by environment and by file",
                "Keep one of the two.",
            ));
        }
        (Some(variable), None) => match std::env::var(variable) {
            Ok(text) => (text, format!("the environment variable {variable}")),
            Err(_) => {
                return Err(invalid(
                    name,
                    format!("the environment variable {variable} is not set"),
                    format!("Set {variable}, or refer to a file with `secret_file`."),
                ));
            }
        },
        (None, Some(file)) => match std::fs::read_to_string(file) {
            Ok(text) => (text, format!("the file {}", file.display())),
            Err(cause) => {
                return Err(ConfigError::SecretFile {
                    name: name.to_owned(),
                    file: file.clone(),
                    cause,
                });
            }
        },
        (None, None) => return Ok(None),
    };
    match text.trim() {
        "" => Err(invalid(
            name,
            format!("{place} is empty"),
            "Put the secret there.",
        )),
        secret => Ok(Some(Secret::new(secret))),
    }
}

/// Parses a URL and refuses plain http to another machine and credentials inside the URL.
pub(crate) fn check_url(
    name: &str,
    key: &str,
    text: &str,
    allow_http: bool,
) -> Result<Url, ConfigError> {
    let url = Url::parse(text).map_err(|_| {
        invalid(
            name,
            format!("`{key}` is not a URL"),
            "Write it in full, as in https://example.com/graphql.",
        )
    })?;
    let in_query = url.query_pairs().any(|(key, _)| looks_secret(&key));
    if !url.username().is_empty() || url.password().is_some() || in_query {
        return Err(invalid(
            name,
            format!("`{key}` holds credentials"),
            "Take them out and refer to them with `auth` and `secret_env`.",
        ));
    }
    let loopback = is_this_machine(&url);
    match url.scheme() {
        "https" => Ok(url),
        "http" if loopback || allow_http => Ok(url),
        "http" => Err(invalid(
            name,
            format!("`{key}` sends secrets and data unencrypted to another machine"),
            "Use https, or set `allow_http = true` if you know the network to be private.",
        )),
        other => Err(invalid(
            name,
            format!("`{key}` starts with {other}:"),
            "Use an https URL.",
        )),
    }
}

/// Rejects a literal address that a public source cannot have.
pub(super) fn check_address(name: &str, key: &str, url: &Url) -> Result<(), ConfigError> {
    match private_literal(url) {
        None => Ok(()),
        Some(address) => Err(invalid(
            name,
            format!("`{key}` leads to {address}, an address of a private network"),
            "Correct it, or set `allow_private = true` if the source is on your own network.",
        )),
    }
}

/// Whether a header or parameter of this name commonly holds a secret.
pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace(['-', '_'], "");
    [
        "authorization",
        "apikey",
        "token",
        "secret",
        "password",
        "cookie",
    ]
    .iter()
    .any(|word| name.contains(word))
}
