//! Token pairs on disk, encrypted, one file per source.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Nonce, Payload};
use serde::{Deserialize, Serialize};

use super::key::find_key;
use super::oauth::TokenError;
use super::secret::Secret;

/// An access token with what renews it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Sent with each request.
    pub access: Secret,
    /// Buys the next pair, where the source gives one.
    pub refresh: Option<Secret>,
    /// When the access token ends, where the source says so.
    pub expires_at: Option<jiff::Timestamp>,
    /// When the refresh token was issued, as far as known.
    #[serde(default)]
    pub refresh_since: Option<jiff::Timestamp>,
}

/// Keeps token pairs encrypted in a directory.
#[derive(Clone)]
pub struct TokenStore {
    dir: PathBuf,
    key: Key<XChaCha20Poly1305>,
}

impl std::fmt::Debug for TokenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenStore")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

const NONCE: usize = 24;

impl TokenStore {
    /// Opens the store in `dir`, which is made if needed. The key comes from `CONCORD_TOKEN_KEY`,
    /// `CONCORD_TOKEN_KEY_FILE`, or a file made here with access for its owner alone.
    pub fn open(dir: &Path) -> Result<TokenStore, TokenError> {
        let failed = |cause| {
            TokenError::unavailable(
                format!("the token directory {} cannot be made", dir.display()),
                cause,
            )
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(failed)?;
        Ok(TokenStore {
            dir: dir.to_owned(),
            key: find_key(dir)?,
        })
    }

    /// The stored pair; `None` where none was ever stored.
    pub fn load(&self, source: &str) -> Result<Option<Tokens>, TokenError> {
        let file = self.file(source);
        let sealed = match fs::read(&file) {
            Ok(sealed) => sealed,
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(None),
            Err(cause) => {
                return Err(TokenError::unavailable(
                    format!("{} cannot be read", file.display()),
                    cause,
                ));
            }
        };
        let unreadable = || TokenError::Unreadable {
            source_name: source.to_owned(),
            file: file.clone(),
        };
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or_else(unreadable)?;
        let nonce = Nonce::<XChaCha20Poly1305>::try_from(nonce).map_err(|_| unreadable())?;
        let payload = Payload {
            msg: text,
            aad: source.as_bytes(),
        };
        let plain = XChaCha20Poly1305::new(&self.key)
            .decrypt(&nonce, payload)
            .map_err(|_| unreadable())?;
        serde_json::from_slice(&plain)
            .map(Some)
            .map_err(|_| unreadable())
    }

    /// Stores a pair so that it survives a power cut: written beside, synced, then moved into place.
    pub fn save(&self, source: &str, tokens: &Tokens) -> Result<(), TokenError> {
        let file = self.file(source);
        let failed =
            |cause| TokenError::unavailable(format!("{} cannot be written", file.display()), cause);
        let plain = serde_json::to_vec(tokens).map_err(|cause| failed(cause.into()))?;
        let nonce = Nonce::<XChaCha20Poly1305>::generate();
        let payload = Payload {
            msg: &plain,
            aad: source.as_bytes(),
        };
        let text = XChaCha20Poly1305::new(&self.key)
            .encrypt(&nonce, payload)
            .map_err(|_| failed(ErrorKind::InvalidData.into()))?;
        let draft = file.with_extension(format!("draft-{}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = options.open(&draft).map_err(failed)?;
        out.write_all(&nonce).map_err(failed)?;
        out.write_all(&text).map_err(failed)?;
        out.sync_all().map_err(failed)?;
        fs::rename(&draft, &file).map_err(failed)?;
        File::open(&self.dir)
            .and_then(|dir| dir.sync_all())
            .map_err(failed)?;
        self.end_refresh(source);
        Ok(())
    }

    /// Notes that a refresh is under way; what the source issues may be lost from here until it is saved.
    /// Answers since when one has been under way already.
    pub(super) fn begin_refresh(&self, source: &str) -> Option<jiff::Timestamp> {
        let file = self.file(source).with_extension("refreshing");
        if let Ok(text) = fs::read_to_string(&file) {
            return text.trim().parse().ok();
        }
        // Only the words of a later refusal depend on it.
        let _ = fs::write(&file, jiff::Timestamp::now().to_string());
        None
    }

    /// The refresh ended, whatever it brought: nothing was lost.
    pub(super) fn end_refresh(&self, source: &str) {
        let _ = fs::remove_file(self.file(source).with_extension("refreshing"));
    }

    /// Holds the source's tokens against other processes until the file is dropped.
    pub(super) fn lock(&self, source: &str) -> Result<File, TokenError> {
        let file = self.file(source).with_extension("lock");
        let failed =
            |cause| TokenError::unavailable(format!("{} cannot be locked", file.display()), cause);
        let held = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(failed)?;
        held.lock().map_err(failed)?;
        Ok(held)
    }

    /// Source names are plain where they come from configuration; anything else is spelled in hex.
    fn file(&self, source: &str) -> PathBuf {
        let plain = source
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let name = match plain && !source.is_empty() {
            true => source.to_owned(),
            false => format!("x{}", hex::encode(source)),
        };
        self.dir.join(format!("{name}.token"))
    }
}
