//! Credentials: the API key, and OAuth 2 with authorization code (PKCE accepted) and refresh.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The API key that is always valid.
pub const API_KEY: &str = "gz_standin_0123456789abcdef";
/// The OAuth client.
pub const CLIENT_ID: &str = "standin-client";
/// The secret of the OAuth client.
pub const CLIENT_SECRET: &str = "standin-secret-7f3a9c";
/// An access token that is valid from the start.
pub const ACCESS_TOKEN: &str = "gzat_standin_initial_access_token_000000000000000000000000000000";
/// A refresh token that is valid from the start.
pub const REFRESH_TOKEN: &str = "gzrt_standin_initial_refresh_token_00000000000000000000000000000";
/// Seconds an access token lives.
pub(crate) const TOKEN_TTL: u64 = 2_592_000;

/// What a refresh does to the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    Keep,
    Omit,
    Rotate,
    Grace,
}

impl Rotation {
    pub(crate) fn read(value: Option<&Value>) -> Rotation {
        match value.map(|value| value.as_str().unwrap_or("rotate")) {
            Some("omit") => Rotation::Omit,
            Some("grace") => Rotation::Grace,
            Some("rotate") => Rotation::Rotate,
            _ => Rotation::Keep,
        }
    }
}

/// How the token endpoint is to behave for one request.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) rotation: Rotation,
    pub(crate) ttl: u64,
    pub(crate) client_credentials: bool,
    pub(crate) no_grant: bool,
}

/// A code waiting to be exchanged.
#[derive(Debug)]
struct Code {
    redirect: String,
    challenge: Option<(String, bool)>,
}

/// The tokens in circulation.
#[derive(Debug)]
pub(crate) struct Auth {
    access: HashMap<String, SystemTime>,
    refresh: HashSet<String>,
    /// Rotated refresh tokens that still work once.
    grace: HashSet<String>,
    codes: HashMap<String, Code>,
    issued: u64,
}

/// An error answer of the token endpoint: its status and its OAuth error code.
pub(crate) type OauthError = (u16, &'static str);

impl Auth {
    pub(crate) fn new() -> Auth {
        Auth {
            access: HashMap::from([(
                ACCESS_TOKEN.to_owned(),
                SystemTime::now() + Duration::from_secs(TOKEN_TTL),
            )]),
            refresh: HashSet::from([REFRESH_TOKEN.to_owned()]),
            grace: HashSet::new(),
            codes: HashMap::new(),
            issued: 0,
        }
    }

    /// True for a live access token.
    pub(crate) fn accepts(&self, token: &str) -> bool {
        self.access
            .get(token)
            .is_some_and(|until| *until > SystemTime::now())
    }

    /// Ends every access token.
    pub(crate) fn expire(&mut self) {
        self.access.clear();
    }

    /// Ends every access and refresh token.
    pub(crate) fn revoke(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.grace.clear();
    }

    /// A new authorization code for a redirect address and a PKCE challenge.
    pub(crate) fn code(&mut self, redirect: String, challenge: Option<(String, bool)>) -> String {
        let code = self.fresh("gzcd");
        self.codes.insert(
            code.clone(),
            Code {
                redirect,
                challenge,
            },
        );
        code
    }

    /// Answers a token request.
    pub(crate) fn exchange(
        &mut self,
        form: &HashMap<String, String>,
        basic: Option<&str>,
        policy: &Policy,
    ) -> Result<Value, OauthError> {
        let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let (id, secret) = basic.and_then(basic_pair).unwrap_or_else(|| {
            (
                field("client_id").to_owned(),
                field("client_secret").to_owned(),
            )
        });
        if policy.no_grant {
            return Err((400, "unsupported_grant_type"));
        }
        if id != CLIENT_ID || secret != CLIENT_SECRET {
            return Err((401, "invalid_client"));
        }
        match field("grant_type") {
            "authorization_code" => {
                let code = self
                    .codes
                    .remove(field("code"))
                    .ok_or((400, "invalid_grant"))?;
                let proved = code.challenge.as_ref().is_none_or(|(challenge, hashed)| {
                    let verifier = field("code_verifier");
                    let answer = if *hashed {
                        URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
                    } else {
                        verifier.to_owned()
                    };
                    answer == *challenge
                });
                if !proved || code.redirect != field("redirect_uri") {
                    return Err((400, "invalid_grant"));
                }
                let refresh = self.fresh("gzrt");
                self.refresh.insert(refresh.clone());
                Ok(self.tokens(policy.ttl, Some(refresh)))
            }
            "refresh_token" => {
                let old = field("refresh_token");
                let known = self.grace.remove(old) || self.refresh.contains(old);
                if !known {
                    return Err((400, "invalid_grant"));
                }
                let refresh = match policy.rotation {
                    Rotation::Keep => Some(old.to_owned()),
                    Rotation::Omit => None,
                    Rotation::Rotate | Rotation::Grace => {
                        if self.refresh.remove(old) && policy.rotation == Rotation::Grace {
                            self.grace.insert(old.to_owned());
                        }
                        let new = self.fresh("gzrt");
                        self.refresh.insert(new.clone());
                        Some(new)
                    }
                };
                Ok(self.tokens(policy.ttl, refresh))
            }
            "client_credentials" if policy.client_credentials => Ok(self.tokens(policy.ttl, None)),
            _ => Err((400, "unsupported_grant_type")),
        }
    }

    fn tokens(&mut self, ttl: u64, refresh: Option<String>) -> Value {
        let access = self.fresh("gzat");
        let now = SystemTime::now();
        self.access
            .insert(access.clone(), now + Duration::from_secs(ttl));
        let created = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut answer = json!({"access_token": access, "token_type": "bearer", "expires_in": ttl, "created_at": created});
        if let Some(refresh) = refresh {
            answer["refresh_token"] = refresh.into();
        }
        answer
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.issued += 1;
        format!(
            "{prefix}_{}",
            hex::encode(Sha256::digest(format!("{prefix}{}", self.issued)))
        )
    }
}

fn basic_pair(header: &str) -> Option<(String, String)> {
    let plain = String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ")?).ok()?).ok()?;
    let (id, secret) = plain.split_once(':')?;
    let decode = |text: &str| {
        url::form_urlencoded::parse(text.as_bytes())
            .map(|(key, _)| key.into_owned())
            .next()
            .unwrap_or_default()
    };
    Some((decode(id), decode(secret)))
}
