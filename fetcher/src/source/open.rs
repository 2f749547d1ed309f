//! Opening a source.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::HeaderMap;
use url::Url;

use super::body::Bounds;
use super::config::{ConfigError, SourceConfig, check_address, check_url, invalid};
use super::http_client::{headers, http_client};
use super::limits::gate::{Limits, Standing};
use super::limits::hosts::{Pauses, Presence};
use super::limits::limiter::Priority;
use super::limits::rate_share::RateShare;
use super::limits::registry::{Registry, shared};
use super::request_policy::{AccountConfig, RequestPolicy, RetryConfig};
use super::response_diagnostics::{DiagnosticsByModule, ResponseDiagnostics};
use crate::auth::credentials::Credentials;
use crate::auth::store::TokenStore;
use crate::failure::redactor::Redactor;

/// An API with its address, credentials and limits. Cheap to clone; all `Source`s of one name in this process
/// share one limiter and one token.
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
    pub diagnostics: DiagnosticsByModule,
    /// How many questions the source has answered.
    pub answered: AtomicU64,
}

/// Long enough for a holiday.
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
        let http = http_client(name, config)?;
        let key = format!(
            "{name} {endpoint} {:?} {:?} {:?} {store:?} {:?}",
            config.rate, config.breaker, config.auth, config.limits_folder
        );
        let rules = RequestPolicy {
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
                diagnostics: DiagnosticsByModule::default(),
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

    /// The state of the source: breaker, retries left, rate, and when its credentials expire.
    pub fn standing(&self) -> Standing {
        let end = self.0.shared.credentials.end();
        Standing {
            credentials_end: end,
            credentials_warning: end.and_then(|end| end.checked_sub(self.0.warn_before).ok()),
            ..self.0.shared.limits.standing()
        }
    }

    /// What this host reports to others that ask the same source.
    pub fn presence(&self) -> Presence {
        self.0.shared.limits.presence()
    }

    /// Sets this host's share of the limits. `due` is its fair share, which it uses if it has none and gets
    /// no more news; `heard` are the pauses that other hosts report.
    pub fn keep_to(&self, part: RateShare, due: RateShare, heard: &Pauses) {
        self.0.shared.limits.keep_to(part, due, heard);
    }

    /// Reduces this host's share, before others are told that they may use the rest.
    pub fn give_up(&self, part: RateShare, due: RateShare) {
        self.0.shared.limits.give_up(part, due);
    }

    /// The source's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }
}

impl Source {
    /// Counts a page that came again in place of the next one.
    pub(crate) fn note_repeated(&self, module: &str) {
        self.0
            .shared
            .diagnostics
            .note(module, |noticed| noticed.repeated += 1);
    }

    /// Takes what was recorded about a module's responses since the last call.
    pub fn take_diagnostics(&self, module: &str) -> ResponseDiagnostics {
        self.0.shared.diagnostics.take(module)
    }
}

impl Inner {
    /// Keeps an unusable response, to be stored with the run.
    pub(super) fn keep(&self, kind: &str, body: &[u8]) {
        let text = self.shared.redactor.whole(&String::from_utf8_lossy(body));
        let kept = (!text.is_empty()).then_some(text);
        self.shared
            .diagnostics
            .note(kind, |noticed| noticed.unusable = kept);
    }
}
