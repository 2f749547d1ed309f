//! The HTTP client of a source, and the headers it sends.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::addresses::Checked;
use super::config::{ConfigError, SourceConfig, invalid, looks_secret};

/// The connection pool for a source; redirects stay on their origin.
pub(crate) fn http_client(
    name: &str,
    config: &SourceConfig,
) -> Result<reqwest::Client, ConfigError> {
    let same_origin = reqwest::redirect::Policy::custom(|hop| {
        let stays = hop
            .previous()
            .last()
            .is_some_and(|from| from.origin() == hop.url().origin());
        let keeps_body = matches!(hop.status().as_u16(), 307 | 308);
        match stays && keeps_body && hop.previous().len() <= 3 {
            true => hop.follow(),
            false => hop.stop(),
        }
    });
    reqwest::Client::builder()
        .redirect(same_origin)
        .dns_resolver(Checked::new(config.allow_private))
        // Bodies are decompressed in `body`, where their size is limited.
        .gzip(false)
        .connect_timeout(Duration::from_secs(config.connect_timeout_seconds.max(1)))
        .timeout(Duration::from_secs(config.timeout_seconds.max(1)))
        .user_agent(concat!("concord/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|cause| ConfigError::Http {
            name: name.to_owned(),
            cause,
        })
}

pub(super) fn headers(name: &str, config: &SourceConfig) -> Result<HeaderMap, ConfigError> {
    let mut headers = HeaderMap::new();
    for (key, value) in &config.headers {
        let header: Option<HeaderName> = key.parse().ok();
        let (Some(header), Ok(value)) = (header, HeaderValue::from_str(value)) else {
            return Err(invalid(
                name,
                format!("`headers.{key}` is not a header"),
                "Use letters, digits and `-` in its name, and plain text as its value.",
            ));
        };
        if looks_secret(key) {
            return Err(invalid(
                name,
                format!("`headers.{key}` looks like a secret"),
                "Use `auth` with `secret_env` or `secret_file`, so that the secret is not in this file.",
            ));
        }
        headers.insert(header, value);
    }
    Ok(headers)
}
