//! OAuth2 grants, by the `oauth2` crate over the source's own HTTP client.

use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};

use super::secret::Secret;
use super::store::Tokens;
use super::token_error::TokenError;
use crate::failure::redactor::Redactor;
use crate::source::config::{AuthConfig, ConfigError, check_url, read_secret};

type Configured =
    BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The token endpoint of one source.
pub(super) struct OAuth {
    source_name: String,
    endpoint: Configured,
    scopes: Vec<Scope>,
    http: reqwest::Client,
    redactor: Redactor,
}

#[derive(Debug, thiserror::Error)]
enum HttpFault {
    #[error(transparent)]
    Reqwest(#[from] reqwest::Error),
    #[error(transparent)]
    Build(#[from] oauth2::http::Error),
}

impl OAuth {
    pub(super) fn new(
        name: &str,
        auth: &AuthConfig,
        allow_http: bool,
        http: reqwest::Client,
        redactor: Redactor,
    ) -> Result<OAuth, ConfigError> {
        let missing = |key: &str| ConfigError::Invalid {
            name: name.to_owned(),
            problem: format!("`auth.{key}` is missing"),
            remedy: format!("OAuth2 needs it: add `{key}` to `auth`."),
        };
        let client_id = auth.client_id.clone().ok_or_else(|| missing("client_id"))?;
        let token_url = auth
            .token_url
            .as_deref()
            .ok_or_else(|| missing("token_url"))?;
        let token_url = check_url(name, "auth.token_url", token_url, allow_http)?;
        let mut endpoint = BasicClient::new(ClientId::new(client_id))
            .set_token_uri(TokenUrl::from_url(token_url))
            .set_auth_type(match auth.basic_client_auth {
                true => AuthType::BasicAuth,
                false => AuthType::RequestBody,
            });
        if let Some(secret) = read_secret(name, &auth.secret())? {
            redactor.learn(&secret);
            endpoint = endpoint.set_client_secret(ClientSecret::new(secret.reveal().to_owned()));
        }
        Ok(OAuth {
            source_name: name.to_owned(),
            endpoint,
            scopes: auth.scopes.iter().cloned().map(Scope::new).collect(),
            http,
            redactor,
        })
    }

    /// Requests a new pair; a response without a refresh token keeps the old one.
    pub(super) async fn refresh(&self, old: &Secret) -> Result<Tokens, TokenError> {
        self.redactor.learn(old);
        let token = RefreshToken::new(old.reveal().to_owned());
        let http = |request| send(self.http.clone(), request);
        let answer = self
            .endpoint
            .exchange_refresh_token(&token)
            .request_async(&http)
            .await;
        let mut tokens = self.tokens(answer)?;
        tokens.refresh.get_or_insert_with(|| old.clone());
        Ok(tokens)
    }

    pub(super) async fn client_credentials(&self) -> Result<Tokens, TokenError> {
        let request = self
            .endpoint
            .exchange_client_credentials()
            .add_scopes(self.scopes.clone());
        let http = |request| send(self.http.clone(), request);
        self.tokens(request.request_async(&http).await)
    }

    pub(super) async fn code(
        self,
        code: &Secret,
        verifier: &Secret,
        redirect: RedirectUrl,
    ) -> Result<Tokens, TokenError> {
        self.redactor.learn(code);
        let endpoint = self.endpoint.clone().set_redirect_uri(redirect);
        let http = |request| send(self.http.clone(), request);
        let answer = endpoint
            .exchange_code(AuthorizationCode::new(code.reveal().to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(verifier.reveal().to_owned()))
            .request_async(&http)
            .await;
        self.tokens(answer)
    }

    fn tokens(
        &self,
        answer: Result<
            BasicTokenResponse,
            RequestTokenError<HttpFault, oauth2::basic::BasicErrorResponse>,
        >,
    ) -> Result<Tokens, TokenError> {
        let broken = |what: String, cause| TokenError::Endpoint {
            source_name: self.source_name.clone(),
            what,
            cause,
        };
        let answer = answer.map_err(|failure| match failure {
            RequestTokenError::ServerResponse(words) => {
                let cause = self.redactor.excerpt(&words.to_string());
                match words.error() {
                    BasicErrorResponseType::Extension(code)
                        if code.contains("unavailable")
                            || code == "server_error"
                            || code == "slow_down" =>
                    {
                        broken(cause, None)
                    }
                    _ => TokenError::Rejected {
                        source_name: self.source_name.clone(),
                        cause,
                    },
                }
            }
            RequestTokenError::Request(HttpFault::Reqwest(cause)) => {
                broken("it could not be reached".to_owned(), Some(cause))
            }
            RequestTokenError::Request(HttpFault::Build(cause)) => broken(cause.to_string(), None),
            // The parser's message may quote the response, which may hold a token.
            RequestTokenError::Parse(..) => broken("its answer is not a token".to_owned(), None),
            RequestTokenError::Other(what) => broken(self.redactor.excerpt(&what), None),
        })?;
        let access = Secret::new(answer.access_token().secret());
        self.redactor.learn(&access);
        let refresh = answer
            .refresh_token()
            .map(|token| Secret::new(token.secret()));
        if let Some(refresh) = &refresh {
            self.redactor.learn(refresh);
        }
        let now = jiff::Timestamp::now();
        let lasts = answer
            .expires_in()
            .map(|lasts| lasts.min(Duration::from_secs(100 * 365 * 86_400)));
        Ok(Tokens {
            access,
            refresh_since: refresh.is_some().then_some(now),
            refresh,
            expires_at: lasts.and_then(|lasts| now.checked_add(lasts).ok()),
        })
    }
}

/// Takes the client by value, so that the future borrows nothing.
async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpFault> {
    let answer = http
        .execute(request.try_into()?)
        .await
        .map_err(reqwest::Error::without_url)?;
    let mut built = oauth2::http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        built = built.header(name, value);
    }
    let body = answer.bytes().await.map_err(reqwest::Error::without_url)?;
    Ok(built.body(body.to_vec())?)
}
