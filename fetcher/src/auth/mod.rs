//! Credentials: fixed keys, OAuth2 tokens, where they are kept and how they are renewed.

pub(crate) mod credentials;
mod key;
mod login;
mod oauth;
pub(crate) mod secret;
pub(crate) mod store;
pub(crate) mod token_error;

pub use login::{Authorization, await_callback, exchange_code, start_authorization};
pub use secret::Secret;
pub use store::{TokenStore, Tokens};
pub use token_error::TokenError;
