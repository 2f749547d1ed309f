//! The key that tokens are encrypted with.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Generate, Key};
use sha2::{Digest, Sha256};

use super::token_error::TokenError;

/// The key from `CONCORD_TOKEN_KEY`, the file `CONCORD_TOKEN_KEY_FILE`, or `dir/key`, made on first use.
pub(super) fn find_key(dir: &Path) -> Result<Key<XChaCha20Poly1305>, TokenError> {
    if let Ok(text) = std::env::var("CONCORD_TOKEN_KEY") {
        return Ok(derive(&text));
    }
    let given = std::env::var_os("CONCORD_TOKEN_KEY_FILE");
    let file = given.as_ref().map_or_else(|| dir.join("key"), Into::into);
    match fs::read_to_string(&file) {
        Ok(text) if !text.trim().is_empty() => Ok(derive(&text)),
        Ok(_) => Err(TokenError::unavailable(
            format!("the key file {} is empty", file.display()),
            ErrorKind::InvalidData.into(),
        )),
        Err(missing) if missing.kind() == ErrorKind::NotFound && given.is_none() => make(&file),
        Err(cause) => Err(TokenError::unavailable(
            format!("the key file {} cannot be read", file.display()),
            cause,
        )),
    }
}

/// Any text can be a key; use 32 random bytes in base64.
fn derive(text: &str) -> Key<XChaCha20Poly1305> {
    Key::<XChaCha20Poly1305>::from(<[u8; 32]>::from(Sha256::digest(text.trim().as_bytes())))
}

/// Two processes may start at once: the first to link its complete file wins, the other reads that file.
fn make(file: &Path) -> Result<Key<XChaCha20Poly1305>, TokenError> {
    let failed = |cause| {
        TokenError::unavailable(
            format!("the key file {} cannot be made", file.display()),
            cause,
        )
    };
    let text = STANDARD.encode(Key::<XChaCha20Poly1305>::generate());
    let draft = file.with_extension(format!(
        "draft-{}-{}",
        std::process::id(),
        rand::random::<u32>()
    ));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&draft).map_err(failed)?;
    out.write_all(text.as_bytes())
        .and_then(|()| out.sync_all())
        .map_err(failed)?;
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft).map_err(failed)?;
    match linked {
        Ok(()) => Ok(derive(&text)),
        Err(exists) if exists.kind() == ErrorKind::AlreadyExists => fs::read_to_string(file)
            .map(|text| derive(&text))
            .map_err(failed),
        Err(cause) => Err(failed(cause)),
    }
}
