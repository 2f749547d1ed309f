//! The credentials of one open source, renewed once for all who wait.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tokio::sync::Mutex;

use super::oauth::{OAuth, TokenError};
use super::secret::Secret;
use super::store::{TokenStore, Tokens};
use crate::failure::Redactor;
use crate::source::{AuthKind, ConfigError, SourceConfig, read_secret};

/// Renewed this long before the end, so that no request starts with a token about to die.
const MARGIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// How requests to one source are signed; shared by all its openings in this process.
pub(crate) struct Credentials {
    way: Way,
    /// When the key or client secret ends, as configured.
    ends: Option<jiff::Timestamp>,
    refresh_lasts: Option<Duration>,
}

enum Way {
    Open,
    Fixed {
        name: HeaderName,
        value: HeaderValue,
    },
    Renewed(Arc<Renewal>),
}

struct Renewal {
    source_name: String,
    kind: AuthKind,
    oauth: OAuth,
    store: Option<TokenStore>,
    first_refresh: Option<Secret>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: Option<Tokens>,
    /// Counts the pairs this process has used, so that a waiter knows whether its own was replaced.
    generation: u64,
    rejected: Option<String>,
}

/// A header to sign one request with, and the generation of the token in it.
pub(crate) struct Signature {
    pub header: Option<(HeaderName, HeaderValue)>,
    pub generation: u64,
}

impl Credentials {
    pub(crate) fn new(
        name: &str,
        config: &SourceConfig,
        store: Option<&TokenStore>,
        http: &reqwest::Client,
        redactor: &Redactor,
    ) -> Result<Credentials, ConfigError> {
        let auth = &config.auth;
        let fixed = |header: HeaderName, prefix: &str| {
            let Some(secret) = read_secret(name, &auth.secret())? else {
                return Err(ConfigError::Invalid {
                    name: name.to_owned(),
                    problem: "`auth` refers to no secret".to_owned(),
                    remedy: "Add `secret_env = \"…\"` or `secret_file = \"…\"` to `auth`."
                        .to_owned(),
                });
            };
            redactor.learn(&secret);
            let mut value = HeaderValue::from_str(&format!("{prefix}{}", secret.reveal()))
                .map_err(|_| ConfigError::Invalid {
                    name: name.to_owned(),
                    problem: "the secret holds characters that no header can carry".to_owned(),
                    remedy: "Check that the whole secret, and nothing else, is stored.".to_owned(),
                })?;
            value.set_sensitive(true);
            Ok(Way::Fixed {
                name: header,
                value,
            })
        };
        let way = match auth.kind {
            AuthKind::None => Way::Open,
            AuthKind::Bearer => fixed(AUTHORIZATION, "Bearer ")?,
            AuthKind::Header => {
                let header = auth.name.as_deref().and_then(|name| name.parse().ok());
                let header = header.ok_or_else(|| ConfigError::Invalid {
                    name: name.to_owned(),
                    problem: "`auth.name` is missing or not a header name".to_owned(),
                    remedy: "Add it, as in `name = \"x-api-key\"`.".to_owned(),
                })?;
                fixed(header, auth.prefix.as_deref().unwrap_or_default())?
            }
            kind @ (AuthKind::Oauth2Refresh | AuthKind::Oauth2ClientCredentials) => {
                let oauth = OAuth::new(
                    name,
                    auth,
                    config.allow_http,
                    http.clone(),
                    redactor.clone(),
                )?;
                Way::Renewed(Arc::new(Renewal {
                    source_name: name.to_owned(),
                    kind,
                    oauth,
                    store: store.cloned(),
                    first_refresh: read_secret(name, &auth.refresh_token())?,
                    state: Mutex::default(),
                }))
            }
        };
        Ok(Credentials {
            way,
            ends: auth.expires_at,
            refresh_lasts: auth.refresh_lasts,
        })
    }

    /// When somebody must have renewed the credentials by hand, as far as known: the end of the key or client
    /// secret, or of the refresh token.
    pub(crate) fn end(&self) -> Option<jiff::Timestamp> {
        let refresh = match &self.way {
            Way::Renewed(renewal) if renewal.kind == AuthKind::Oauth2Refresh => renewal
                .stored()
                .and_then(|tokens| tokens.refresh_since?.checked_add(self.refresh_lasts?).ok()),
            _ => None,
        };
        self.ends.into_iter().chain(refresh).min()
    }

    /// What to sign the next request with.
    pub(crate) async fn sign(&self, redactor: &Redactor) -> Result<Signature, TokenError> {
        let renewal = match &self.way {
            Way::Open => {
                return Ok(Signature {
                    header: None,
                    generation: 0,
                });
            }
            Way::Fixed { name, value } => {
                return Ok(Signature {
                    header: Some((name.clone(), value.clone())),
                    generation: 0,
                });
            }
            Way::Renewed(renewal) => renewal,
        };
        let (tokens, generation) = renewal.clone().current().await?;
        redactor.learn(&tokens.access);
        let mut value = HeaderValue::from_str(&format!("Bearer {}", tokens.access.reveal()))
            .map_err(|_| TokenError::Rejected {
                source_name: renewal.source_name.clone(),
                cause: "it issued a token that no header can carry".to_owned(),
            })?;
        value.set_sensitive(true);
        Ok(Signature {
            header: Some((AUTHORIZATION, value)),
            generation,
        })
    }

    /// After a refusal: replaces the token of that generation, once for all who hold it.
    /// Answers whether signing again makes sense.
    pub(crate) async fn renew(&self, refused: u64) -> Result<bool, TokenError> {
        let Way::Renewed(renewal) = &self.way else {
            return Ok(false);
        };
        renewal.clone().replace(Some(refused)).await?;
        Ok(true)
    }
}

impl Renewal {
    /// The pair as it is stored; other processes write there too.
    fn stored(&self) -> Option<Tokens> {
        self.store.as_ref()?.load(&self.source_name).ok()?
    }

    async fn current(self: Arc<Self>) -> Result<(Tokens, u64), TokenError> {
        {
            let state = self.state.lock().await;
            if let Some(tokens) = state.tokens.as_ref().filter(|tokens| fresh(tokens))
                && state.rejected.is_none()
            {
                return Ok((tokens.clone(), state.generation));
            }
        }
        self.replace(None).await
    }

    /// Runs in a task of its own: a caller that goes away must not lose a pair the source has just rotated.
    async fn replace(self: Arc<Self>, refused: Option<u64>) -> Result<(Tokens, u64), TokenError> {
        let source_name = self.source_name.clone();
        let task = tokio::spawn(async move {
            let mut state = self.state.lock().await;
            self.replace_locked(&mut state, refused).await
        });
        task.await.unwrap_or_else(|stopped| {
            Err(TokenError::Endpoint {
                source_name,
                what: stopped.to_string(),
                cause: None,
            })
        })
    }

    async fn replace_locked(
        &self,
        state: &mut State,
        refused: Option<u64>,
    ) -> Result<(Tokens, u64), TokenError> {
        let wanted = match refused {
            Some(refused) => state.generation == refused,
            None => !state.tokens.as_ref().is_some_and(fresh),
        };
        if let (false, Some(tokens), None) = (wanted, &state.tokens, &state.rejected) {
            return Ok((tokens.clone(), state.generation));
        }
        // Another process may have renewed or logged in: its pair is taken instead of using ours up.
        let _held = self.lock_store().await?;
        let stored = match &self.store {
            Some(store) => store.load(&self.source_name)?,
            None => None,
        };
        if let Some(tokens) = &stored
            && fresh(tokens)
            && state
                .tokens
                .as_ref()
                .is_none_or(|ours| ours.access != tokens.access)
        {
            return Ok(adopt(state, tokens.clone()));
        }
        if let Some(cause) = &state.rejected {
            let source_name = self.source_name.clone();
            return Err(TokenError::Rejected {
                source_name,
                cause: cause.clone(),
            });
        }
        let before = stored.or_else(|| state.tokens.clone());
        let (refresh, since) = before.map_or((None, None), |tokens| {
            (tokens.refresh, tokens.refresh_since)
        });
        let store = self.store.as_ref();
        let begun = store.and_then(|store| store.begin_refresh(&self.source_name));
        let bought = self.buy(refresh.clone()).await;
        let mut tokens = bought.map_err(|failure| {
            let failure = explained(failure, begun);
            match &failure {
                TokenError::Rejected { cause, .. } => state.rejected = Some(cause.clone()),
                // Nothing was sent.
                TokenError::Absent { .. } => store
                    .into_iter()
                    .for_each(|store| store.end_refresh(&self.source_name)),
                _ => {}
            }
            failure
        })?;
        if tokens.refresh == refresh {
            tokens.refresh_since = since;
        }
        // The new pair is on disk before it is used: the old one may be dead already.
        if let Some(store) = &self.store {
            store.save(&self.source_name, &tokens)?;
        }
        Ok(adopt(state, tokens))
    }

    /// A new pair by the stored refresh token, else by the configured one.
    async fn buy(&self, stored: Option<Secret>) -> Result<Tokens, TokenError> {
        if self.kind == AuthKind::Oauth2ClientCredentials {
            return self.oauth.client_credentials().await;
        }
        let configured = self
            .first_refresh
            .clone()
            .filter(|first| stored.as_ref() != Some(first));
        let bought = match &stored {
            Some(refresh) => self.oauth.refresh(refresh).await,
            None => Err(TokenError::Absent {
                source_name: self.source_name.clone(),
            }),
        };
        match (bought, configured) {
            (Err(TokenError::Rejected { .. } | TokenError::Absent { .. }), Some(refresh)) => {
                self.oauth.refresh(&refresh).await
            }
            (outcome, _) => outcome,
        }
    }

    /// Waits for other processes on a thread of its own.
    async fn lock_store(&self) -> Result<Option<std::fs::File>, TokenError> {
        let Some(store) = self.store.clone() else {
            return Ok(None);
        };
        let name = self.source_name.clone();
        match tokio::task::spawn_blocking(move || store.lock(&name)).await {
            Ok(held) => held.map(Some),
            Err(stopped) => Err(TokenError::unavailable(
                "the lock was interrupted".to_owned(),
                stopped.into(),
            )),
        }
    }
}

/// A refusal after a refresh whose answer never came: the pair it brought is lost, which is the exact cause.
fn explained(failure: TokenError, begun: Option<jiff::Timestamp>) -> TokenError {
    match (failure, begun) {
        (TokenError::Rejected { source_name, cause }, Some(begun)) => TokenError::Rejected {
            source_name,
            cause: format!(
                "{cause}; the answer to a refresh begun at {begun:.0} was lost, and the token it brought with it"
            ),
        },
        (failure, _) => failure,
    }
}

fn adopt(state: &mut State, tokens: Tokens) -> (Tokens, u64) {
    state.generation += 1;
    state.rejected = None;
    state.tokens = Some(tokens.clone());
    (tokens, state.generation)
}

fn fresh(tokens: &Tokens) -> bool {
    let limit = jiff::Timestamp::now()
        .saturating_add(MARGIN)
        .unwrap_or(jiff::Timestamp::MAX);
    tokens.expires_at.is_none_or(|end| end > limit)
}
