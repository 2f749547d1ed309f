//! The OAuth2 login: the address a person opens, the browser's callback, and the exchange of its code.

use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::oauth::OAuth;
use super::secret::Secret;
use super::store::TokenStore;
use super::token_error::TokenError;
use crate::failure::redactor::Redactor;
use crate::source::config::{ConfigError, SourceConfig, check_url};
use crate::source::http_client::http_client;

/// A login in progress: the address to open, and what the callback must contain.
#[derive(Debug)]
pub struct Authorization {
    /// The address a person opens to grant access.
    pub url: Url,
    source_name: String,
    state: Secret,
    verifier: Secret,
    redirect: RedirectUrl,
}

/// Starts a login with PKCE and a random state; `redirect` is where the browser comes back to.
pub fn start_authorization(
    name: &str,
    config: &SourceConfig,
    redirect: &str,
) -> Result<Authorization, ConfigError> {
    let missing = |key: &str| ConfigError::Invalid {
        name: name.to_owned(),
        problem: format!("`auth.{key}` is missing"),
        remedy: format!("A login needs it: add `{key}` to `auth`."),
    };
    let auth = &config.auth;
    let authorize = auth
        .authorize_url
        .as_deref()
        .ok_or_else(|| missing("authorize_url"))?;
    let authorize = check_url(name, "auth.authorize_url", authorize, config.allow_http)?;
    let client_id = auth.client_id.clone().ok_or_else(|| missing("client_id"))?;
    let redirect = RedirectUrl::from_url(check_url(name, "redirect", redirect, config.allow_http)?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = BasicClient::new(ClientId::new(client_id))
        .set_auth_uri(AuthUrl::from_url(authorize))
        .set_redirect_uri(redirect.clone())
        .authorize_url(CsrfToken::new_random)
        .add_scopes(auth.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(challenge)
        .url();
    Ok(Authorization {
        url,
        source_name: name.to_owned(),
        state: Secret::new(state.secret()),
        verifier: Secret::new(verifier.secret()),
        redirect,
    })
}

/// Waits on a loopback listener for the browser's callback, and returns its code. A callback with another
/// state is refused and does not end the wait.
pub async fn await_callback(
    listener: &TcpListener,
    authorization: &Authorization,
    limit: Duration,
) -> Result<Secret, TokenError> {
    let failed = |cause: String| TokenError::Login {
        source_name: authorization.source_name.clone(),
        cause,
    };
    let wait = async {
        loop {
            let (mut stream, _) = listener
                .accept()
                .await
                .map_err(|cause| failed(cause.to_string()))?;
            // A silent connection must not block the login.
            let read =
                tokio::time::timeout(Duration::from_secs(5), request_target(&mut stream)).await;
            let Ok(Ok(target)) = read else { continue };
            match callback(&target, &authorization.state) {
                Callback::Elsewhere => {
                    reply(&mut stream, "404 Not Found", "Not the login page.").await
                }
                Callback::WrongState => {
                    reply(
                        &mut stream,
                        "400 Bad Request",
                        "This login was not started here. Start it again.",
                    )
                    .await;
                }
                Callback::Refused(cause) => {
                    reply(
                        &mut stream,
                        "200 OK",
                        "Access was not granted. You can close this window.",
                    )
                    .await;
                    return Err(failed(cause));
                }
                Callback::Code(code) => {
                    reply(
                        &mut stream,
                        "200 OK",
                        "Login received. You can close this window.",
                    )
                    .await;
                    return Ok(code);
                }
            }
        }
    };
    match tokio::time::timeout(limit, wait).await {
        Ok(outcome) => outcome,
        Err(_) => Err(failed(format!(
            "nobody came back within {} s",
            limit.as_secs()
        ))),
    }
}

/// Exchanges the code for a token pair and stores it.
pub async fn exchange_code(
    name: &str,
    config: &SourceConfig,
    store: &TokenStore,
    authorization: Authorization,
    code: &Secret,
) -> Result<(), TokenError> {
    let http = http_client(name, config).map_err(Box::new)?;
    let oauth = OAuth::new(
        name,
        &config.auth,
        config.allow_http,
        http,
        Redactor::default(),
    )
    .map_err(Box::new)?;
    let Authorization {
        verifier, redirect, ..
    } = authorization;
    let tokens = oauth.code(code, &verifier, redirect).await?;
    let _held = store.lock(name)?;
    store.save(name, &tokens)
}

enum Callback {
    Elsewhere,
    WrongState,
    Refused(String),
    Code(Secret),
}

fn callback(target: &str, state: &Secret) -> Callback {
    let Ok(url) = Url::parse("http://localhost").and_then(|base| base.join(target)) else {
        return Callback::Elsewhere;
    };
    let value = |key: &str| {
        url.query_pairs()
            .find(|(name, _)| name == key)
            .map(|(_, v)| v.into_owned())
    };
    let Some(given) = value("state") else {
        return Callback::Elsewhere;
    };
    if given != state.reveal() {
        return Callback::WrongState;
    }
    match (value("code"), value("error")) {
        (Some(code), _) if !code.is_empty() => Callback::Code(Secret::new(code)),
        (_, Some(error)) => Callback::Refused(Redactor::default().excerpt(&error)),
        _ => Callback::Refused("the answer holds no code".to_owned()),
    }
}

/// The target of the request line; at most 8 KiB are read.
async fn request_target(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while head.len() < 8192 && !head.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut chunk).await? {
            0 => break,
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    let text = String::from_utf8_lossy(&head);
    Ok(text
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned())
}

async fn reply(stream: &mut TcpStream, status: &str, text: &str) {
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    // The terminal shows the outcome as well.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
