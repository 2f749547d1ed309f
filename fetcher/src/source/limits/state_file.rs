//! Stores the limiter's state: in a file that all processes of this host share, or else in memory.
//!
//! Each host has a state of its own and keeps to its share of the limits. The caller of `hosts.rs` divides
//! the shares, through a database.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::limiter::LimiterState;

/// The limiter's state, and the file that shares it.
#[derive(Debug)]
pub(super) struct StateFile {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    state: LimiterState,
    file: Option<File>,
}

impl StateFile {
    /// Opens the state of a source; in a file of `folder`, if one is given and usable.
    pub(super) fn open(folder: Option<&Path>, source: &str) -> StateFile {
        // Do not create a data directory for this alone.
        let folder =
            folder.filter(|folder| folder.is_dir() || folder.parent().is_some_and(Path::is_dir));
        let file = folder.and_then(|folder| {
            let path = path(folder, source);
            open(folder, &path)
                .inspect_err(|error| {
                    tracing::warn!(source, file = %path.display(), %error,
                        "the limiter's state is not shared with other processes");
                })
                .ok()
        });
        StateFile {
            held: Mutex::new(Held {
                state: LimiterState::default(),
                file,
            }),
        }
    }

    /// Reads and changes the state under a lock.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut LimiterState) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { state, file } = &mut *held;
        let Some(shared) = file.as_mut().filter(|file| locked(file)) else {
            name(state);
            return change(state);
        };
        if let Some(read) = read(shared) {
            *state = read;
        }
        name(state);
        let outcome = change(state);
        let written = write(shared, state);
        let _ = shared.unlock();
        if let Err(error) = written {
            tracing::warn!(%error, "the limiter's state cannot be written, and is no longer shared with other processes");
            // The file is outdated from now on; this process has the current state.
            *file = None;
        }
        outcome
    }
}

/// Gives a new state an id.
fn name(state: &mut LimiterState) {
    if state.id.is_empty() {
        state.id = format!("{:032x}", rand::random::<u128>());
    }
}

fn path(folder: &Path, source: &str) -> PathBuf {
    let plain = source
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    match plain && !source.is_empty() {
        true => folder.join(format!("{source}.json")),
        false => folder.join(format!("x{}.json", hex::encode(source))),
    }
}

fn open(folder: &Path, path: &Path) -> std::io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

/// Others lock the file for microseconds; a stopped process must not block us.
fn locked(file: &File) -> bool {
    for _ in 0..100 {
        if file.try_lock().is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    false
}

fn read(file: &mut File) -> Option<LimiterState> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(1 << 20).read_to_string(&mut text).ok()?;
    // A new file is empty; a partial one was left by a process that died, and is ignored.
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, state: &LimiterState) -> std::io::Result<()> {
    let text = serde_json::to_vec(state)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}
