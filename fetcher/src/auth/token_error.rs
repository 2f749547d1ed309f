//! Why there is no token.

use std::path::PathBuf;

use crate::source::config::ConfigError;

/// Why there is no token. Unavailable, absent and rejected are different cases.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token store does not work.
    #[error(
        "The token store does not work: {what}. Check the data directory's disk and permissions; nothing was lost."
    )]
    Unavailable {
        /// What failed.
        what: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The token endpoint does not answer properly.
    #[error(
        "The token endpoint of `{source_name}` does not work: {what}. It is tried again by the next run; check `token_url` if this lasts."
    )]
    Endpoint {
        /// The source.
        source_name: String,
        /// What failed.
        what: String,
        /// Why, where it can be told without showing a token.
        #[source]
        cause: Option<reqwest::Error>,
    },
    /// Nobody has logged in yet.
    #[error(
        "No token is stored for `{source_name}`. Log in once with `concord source login {source_name}`."
    )]
    Absent {
        /// The source.
        source_name: String,
    },
    /// The source no longer accepts our token.
    #[error(
        "`{source_name}` refused to issue a token ({cause}). Log in again with `concord source login {source_name}`, or check `kind`, `client_id` and the client secret in `auth`."
    )]
    Rejected {
        /// The source.
        source_name: String,
        /// The source's message.
        cause: String,
    },
    /// The stored pair cannot be decrypted.
    #[error("The token of `{source_name}` in {} cannot be decrypted: it was written with another key. Restore CONCORD_TOKEN_KEY or the key file, or log in again with `concord source login {source_name}`.", file.display())]
    Unreadable {
        /// The source.
        source_name: String,
        /// The file.
        file: PathBuf,
    },
    /// The browser's callback holds no grant.
    #[error(
        "The login was not completed: {cause}. Start it again with `concord source login {source_name}`."
    )]
    Login {
        /// The source.
        source_name: String,
        /// What the callback contained.
        cause: String,
    },
    /// The source's `auth` cannot work.
    #[error(transparent)]
    Config(#[from] Box<ConfigError>),
}

impl TokenError {
    pub(super) fn unavailable(what: String, cause: std::io::Error) -> TokenError {
        TokenError::Unavailable { what, cause }
    }

    /// Whether asking again, unchanged, may succeed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            TokenError::Unavailable { .. } | TokenError::Endpoint { .. }
        )
    }
}
