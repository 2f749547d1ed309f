//! Credentials: fixed keys, OAuth2 tokens, where they are kept and how they are renewed.

mod credentials;
mod key;
mod login;
mod oauth;
mod secret;
mod store;

pub(crate) use credentials::Credentials;
pub use login::{Authorization, await_callback, exchange_code, start_authorization};
pub use oauth::TokenError;
pub use secret::Secret;
pub use store::{TokenStore, Tokens};
