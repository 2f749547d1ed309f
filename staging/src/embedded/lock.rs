//! Advisory file locks (`flock`), which the kernel releases when the last holder of the open file is gone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::Path;
use std::time::Duration;

use super::EmbeddedError;

const PAUSE: Duration = Duration::from_millis(15);

/// Waits until nobody else holds the file, and takes it for this process alone.
pub(super) async fn exclusive(path: &Path) -> Result<File, EmbeddedError> {
    loop {
        match try_exclusive(path)? {
            Some(file) => return Ok(file),
            None => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Takes the file for this process alone, if nobody holds it.
pub(super) fn try_exclusive(path: &Path) -> Result<Option<File>, EmbeddedError> {
    let file = open(path).map_err(EmbeddedError::file("open the lock file", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(EmbeddedError::file("lock the file", path)(error)),
    }
}

/// Joins those who share the file. Whoever takes it alone holds `start.lock`, as the caller does, so this
/// never waits long.
pub(super) fn shared(path: &Path) -> Result<File, EmbeddedError> {
    let file = open(path).map_err(EmbeddedError::file("open the lock file", path))?;
    file.lock_shared()
        .map_err(EmbeddedError::file("lock the file", path))?;
    Ok(file)
}

fn open(path: &Path) -> io::Result<File> {
    let new = !path.exists();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    // A lock made by root in an ordinary user's folder must stay usable for that user.
    if new
        && rustix::process::geteuid().is_root()
        && let Some(folder) = path.parent()
    {
        let folder = folder.metadata()?;
        chown(path, Some(folder.uid()), Some(folder.gid()))?;
    }
    Ok(file)
}
