//! Variables that override the file: `DATABASE_URL` and everything that begins with `CONCORD_`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use fetcher::{AuthKind, SourceConfig, nearest};

use super::problem::{self, ConfigError};
use super::settings::Config;

/// The variables of this process; an empty one counts as not set.
#[derive(Default)]
pub(super) struct Environment(BTreeMap<String, String>);

/// What a variable of a source may end in.
const SOURCE_KEYS: [&str; 17] = [
    "ENDPOINT",
    "AUTH_KIND",
    "AUTH_NAME",
    "AUTH_PREFIX",
    "AUTH_SECRET_ENV",
    "AUTH_SECRET_FILE",
    "AUTH_REFRESH_TOKEN_ENV",
    "AUTH_REFRESH_TOKEN_FILE",
    "AUTH_TOKEN_URL",
    "AUTH_AUTHORIZE_URL",
    "AUTH_CLIENT_ID",
    "RATE_PER_SECOND",
    "RATE_BURST",
    "RETRY_ATTEMPTS",
    "TIMEOUT_SECONDS",
    "ALLOW_HTTP",
    "EXPECTED_EVERY",
];

impl Environment {
    pub(super) fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        Self(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Overrides what the file said.
    pub(super) fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        for name in ["DATABASE_URL", "CONCORD_DATABASE_URL"] {
            if let Some(url) = self.get(name) {
                config.database.url = Some(url.to_owned());
            }
        }
        if let Some(file) = self.get("CONCORD_DATABASE_ROOT_CERTIFICATE") {
            config.database.root_certificate = Some(PathBuf::from(file));
        }
        if let Some(most) = self.parsed("CONCORD_DATABASE_MAX_CONNECTIONS", "a whole number")? {
            config.database.max_connections = most;
        }
        if let Some(seconds) =
            self.parsed("CONCORD_DATABASE_AWAY_SECONDS", "a whole number of seconds")?
        {
            config.database.away_seconds = seconds;
        }
        if let Some(folder) = self.get("CONCORD_DATA_DIR") {
            config.database.data_dir = PathBuf::from(folder);
        }
        if let Some(folders) = self.get("CONCORD_MODULES") {
            config.modules = std::env::split_paths(folders).collect();
        }
        if let Some(port) = self.parsed("CONCORD_SERVE_PORT", "a port from 0 to 65535")? {
            config.serve.port = port;
        }
        if let Some(zone) = self.get("CONCORD_ZONE") {
            if reconciler::local_day::zone_named(zone).is_err() {
                return Err(ConfigError::of_variable(
                    "CONCORD_ZONE",
                    problem::zone(zone),
                ));
            }
            config.zone = zone.to_owned();
        }
        self.apply_sources(config)
    }

    /// Endpoints first, since they declare a source.
    fn apply_sources(&self, config: &mut Config) -> Result<(), ConfigError> {
        let mut given: Vec<(&str, String, &str)> = Vec::new();
        for variable in self.0.keys().filter(|name| self.get(name).is_some()) {
            let Some(rest) = variable.strip_prefix("CONCORD_SOURCES_") else {
                continue;
            };
            let split = |key: &'static str| {
                Some((
                    rest.strip_suffix(key)?.strip_suffix('_')?.to_lowercase(),
                    key,
                ))
            };
            match SOURCE_KEYS
                .into_iter()
                .find_map(split)
                .filter(|(name, _)| !name.is_empty())
            {
                Some((name, key)) => given.push((variable, name, key)),
                None => return Err(ConfigError::of_variable(variable, unknown_key(rest))),
            }
        }
        given.sort_by_key(|(_, _, key)| *key != "ENDPOINT");
        for (variable, name, key) in given {
            let same = |known: &&String| known.to_lowercase().replace('-', "_") == name;
            let known = config.sources.keys().find(same).cloned();
            let value = self.get(variable).unwrap_or_default();
            let source = match (known, key) {
                (Some(known), _) => config.sources.get_mut(&known),
                (None, "ENDPOINT") => Some(
                    config
                        .sources
                        .entry(name.clone())
                        .or_insert_with(|| SourceConfig::new(value)),
                ),
                (None, _) => None,
            };
            let Some(source) = source else {
                let remedy = format!(
                    "Set CONCORD_SOURCES_{}_ENDPOINT as well, or correct the name.",
                    name.to_uppercase()
                );
                return Err(ConfigError::of_variable(
                    variable,
                    (format!("there is no source `{name}`"), remedy),
                ));
            };
            self.override_source(source, variable, key, value)?;
        }
        Ok(())
    }

    fn override_source(
        &self,
        source: &mut SourceConfig,
        variable: &str,
        key: &str,
        value: &str,
    ) -> Result<(), ConfigError> {
        let auth = &mut source.auth;
        let text = Some(value.to_owned());
        match key {
            "ENDPOINT" => source.endpoint = value.to_owned(),
            "AUTH_KIND" => auth.kind = auth_kind(variable, value)?,
            "AUTH_NAME" => auth.name = text,
            "AUTH_PREFIX" => auth.prefix = self.0.get(variable).cloned(),
            "AUTH_SECRET_ENV" => (auth.secret_env, auth.secret_file) = (text, None),
            "AUTH_SECRET_FILE" => (auth.secret_env, auth.secret_file) = (None, Some(value.into())),
            "AUTH_REFRESH_TOKEN_ENV" => {
                (auth.refresh_token_env, auth.refresh_token_file) = (text, None)
            }
            "AUTH_REFRESH_TOKEN_FILE" => {
                (auth.refresh_token_env, auth.refresh_token_file) = (None, Some(value.into()))
            }
            "AUTH_TOKEN_URL" => auth.token_url = text,
            "AUTH_AUTHORIZE_URL" => auth.authorize_url = text,
            "AUTH_CLIENT_ID" => auth.client_id = text,
            "RATE_PER_SECOND" => {
                source.rate.per_second = Some(parse(variable, value, "a number")?);
            }
            "RATE_BURST" => source.rate.burst = parse(variable, value, "a whole number")?,
            "RETRY_ATTEMPTS" => source.retry.attempts = parse(variable, value, "a whole number")?,
            "TIMEOUT_SECONDS" => source.timeout_seconds = parse(variable, value, "a whole number")?,
            "EXPECTED_EVERY" => {
                let refuse = |problem| {
                    let remedy = "Write a length of time such as `1h`, or unset it.".to_owned();
                    ConfigError::of_variable(variable, (problem, remedy))
                };
                source.expected_every = Some(fetcher::length_of_time(value).map_err(refuse)?);
            }
            "ALLOW_HTTP" => source.allow_http = parse(variable, value, "`true` or `false`")?,
            other => unreachable!("{other} is not in SOURCE_KEYS"),
        }
        Ok(())
    }

    fn parsed<T: FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>, ConfigError> {
        self.get(name)
            .map(|value| parse(name, value, wanted))
            .transpose()
    }
}

fn parse<T: FromStr>(variable: &str, value: &str, wanted: &str) -> Result<T, ConfigError> {
    value.parse().map_err(|_| {
        ConfigError::of_variable(
            variable,
            (
                format!("`{value}` is not {wanted}"),
                format!("Set it to {wanted}, or unset it."),
            ),
        )
    })
}

fn auth_kind(variable: &str, value: &str) -> Result<AuthKind, ConfigError> {
    const KINDS: [&str; 5] = [
        "none",
        "header",
        "bearer",
        "oauth2_refresh",
        "oauth2_client_credentials",
    ];
    Ok(match value {
        "none" => AuthKind::None,
        "header" => AuthKind::Header,
        "bearer" => AuthKind::Bearer,
        "oauth2_refresh" => AuthKind::Oauth2Refresh,
        "oauth2_client_credentials" => AuthKind::Oauth2ClientCredentials,
        other => {
            let problem = format!("`{other}` is not a way to log in");
            return Err(ConfigError::of_variable(
                variable,
                (problem, format!("Use one of {}.", KINDS.join(", "))),
            ));
        }
    })
}

fn unknown_key(rest: &str) -> (String, String) {
    let tails: Vec<&str> = rest
        .match_indices('_')
        .map(|(at, _)| &rest[at + 1..])
        .collect();
    let meant = tails.iter().find_map(|tail| nearest(tail, &SOURCE_KEYS));
    let remedy = match meant {
        Some(key) => format!("Did you mean a name that ends in `_{key}`?"),
        None => format!("A name ends in one of {}.", SOURCE_KEYS.join(", ")),
    };
    ("no key of a source is named so".to_owned(), remedy)
}
