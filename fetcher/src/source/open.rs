//! Opening a source.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::account::AccountConfig;
use super::addresses::Checked;
use super::body::Bounds;
use super::config::{ConfigError, SourceConfig, check_address, check_url, invalid, looks_secret};
use super::limits::{Limits, Part, Pauses, Presence, Priority, Registry, Standing, shared};
use super::noticed::Notices;
use super::rules::{RetryConfig, SourceRules};
use crate::auth::{Credentials, TokenStore};
use crate::failure::Redactor;

/// An API behind its address, credentials and limits. Cheap to clone; every opening of the
/// same source in this process shares one limiter and one token.
#[derive(Clone)]
pub struct Source(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub name: String,
    pub endpoint: Url,
    pub http: reqwest::Client,
    pub headers: HeaderMap,
    pub retry: RetryConfig,
    pub timeout: Duration,
    pub bounds: Bounds,
    pub account: Option<AccountConfig>,
    pub warn_before: Duration,
    pub priority: Priority,
    pub shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub limits: Limits,
    pub credentials: Credentials,
    pub redactor: Redactor,
    pub notices: Notices,
    /// How many questions the source has answered.
    pub answered: AtomicU64,
}

/// Long enough for a person who is on holiday.
const TWO_WEEKS: Duration = Duration::from_secs(14 * 86_400);

static SOURCES: Registry<Shared> = OnceLock::new();

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.0.name)
            .field("endpoint", &self.0.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Opens a source; reads its secrets, sends nothing. OAuth2 tokens are kept in `store`.
    /// The program must have installed a rustls crypto provider before.
    pub fn open(
        name: &str,
        config: &SourceConfig,
        store: Option<&TokenStore>,
    ) -> Result<Source, ConfigError> {
        let endpoint = check_url(name, "endpoint", &config.endpoint, config.allow_http)?;
        if !config.allow_private {
            check_address(name, "endpoint", &endpoint)?;
            if let Some(url) = &config.auth.token_url
                && let Ok(url) = Url::parse(url)
            {
                check_address(name, "auth.token_url", &url)?;
            }
        }
        if !config
            .rate
            .per_second
            .is_none_or(|rate| rate.is_finite() && rate > 0.0)
        {
            return Err(invalid(
                name,
                "`rate.per_second` is not above zero",
                "Write how many requests per second the source permits, as in `per_second = 5`.",
            ));
        }
        let http = Source::http(name, config)?;
        let key = format!(
            "{name} {endpoint} {:?} {:?} {:?} {store:?} {:?}",
            config.rate, config.breaker, config.auth, config.limits_folder
        );
        let rules = SourceRules {
            rate: config.rate,
            retry: config.retry,
            breaker: config.breaker,
        };
        let shared = shared(&SOURCES, key, || {
            let redactor = Redactor::default();
            let credentials = Credentials::new(name, config, store, &http, &redactor)?;
            Ok(Shared {
                limits: Limits::new(rules, config.limits_folder.as_deref(), name),
                credentials,
                redactor,
                notices: Notices::default(),
                answered: AtomicU64::new(0),
            })
        })?;
        Ok(Source(Arc::new(Inner {
            name: name.to_owned(),
            endpoint,
            http,
            headers: headers(name, config)?,
            retry: config.retry,
            timeout: Duration::from_secs(config.timeout_seconds.max(1)),
            bounds: Bounds {
                size: config.max_body_bytes,
                slowest: config.slowest_bytes_per_second,
                patience: Duration::from_secs(config.timeout_seconds.clamp(4, 40)) / 4,
            },
            account: config.account.clone(),
            warn_before: config.auth.warn_before.unwrap_or(TWO_WEEKS),
            priority: Priority::Scheduled,
            shared,
        })))
    }

    /// The same source, asked with this priority: scheduled work goes before backfills.
    pub fn with_priority(&self, priority: Priority) -> Source {
        let Inner {
            name,
            endpoint,
            http,
            headers,
            shared,
            ..
        } = &*self.0;
        Source(Arc::new(Inner {
            name: name.clone(),
            endpoint: endpoint.clone(),
            http: http.clone(),
            headers: headers.clone(),
            retry: self.0.retry,
            timeout: self.0.timeout,
            bounds: self.0.bounds,
            account: self.0.account.clone(),
            warn_before: self.0.warn_before,
            priority,
            shared: shared.clone(),
        }))
    }

    /// How the source stands with us: its breaker, retries left, its pace, the end of its credentials.
    pub fn standing(&self) -> Standing {
        let end = self.0.shared.credentials.end();
        Standing {
            credentials_end: end,
            credentials_warning: end.and_then(|end| end.checked_sub(self.0.warn_before).ok()),
            ..self.0.shared.limits.standing()
        }
    }

    /// What this host has to say to others that ask the same source.
    pub fn presence(&self) -> Presence {
        self.0.shared.limits.presence()
    }

    /// Keeps to this part of the source's limits from now on. `due` is what this host takes if it was given
    /// nothing and hears nothing any more; `heard` is what other hosts have learnt.
    pub fn keep_to(&self, part: Part, due: Part, heard: &Pauses) {
        self.0.shared.limits.keep_to(part, due, heard);
    }

    /// Keeps to this part if it is less than the present one: before others are told that they may have the
    /// rest.
    pub fn give_up(&self, part: Part, due: Part) {
        self.0.shared.limits.give_up(part, due);
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The connection pool for a source; redirects stay on their origin.
    pub(crate) fn http(name: &str, config: &SourceConfig) -> Result<reqwest::Client, ConfigError> {
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
            // Bodies are unpacked by ourselves, where their size is watched.
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
}

fn headers(name: &str, config: &SourceConfig) -> Result<HeaderMap, ConfigError> {
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
