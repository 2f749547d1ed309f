//! Where the account of a source's limits is kept: in a file that all processes of this host share, else in
//! memory.
//!
//! Hosts have an account each, and each keeps to its part of the limits. Who tells them their parts
//! (`hosts.rs`) knows a database, and tells an account by its id from those of other hosts.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::pace::Pace;

/// The account, and the file it is shared by.
#[derive(Debug)]
pub(super) struct Ledger {
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    pace: Pace,
    file: Option<File>,
}

impl Ledger {
    /// The ledger of a source; in a file of `folder`, if one is given and can be used.
    pub(super) fn open(folder: Option<&Path>, source: &str) -> Ledger {
        // Where nothing else is kept, nothing is begun for this alone.
        let folder =
            folder.filter(|folder| folder.is_dir() || folder.parent().is_some_and(Path::is_dir));
        let file = folder.and_then(|folder| {
            let path = path(folder, source);
            open(folder, &path)
                .inspect_err(|error| {
                    tracing::warn!(source, file = %path.display(), %error,
                        "the account of the source's limits is not shared with other processes");
                })
                .ok()
        });
        Ledger {
            held: Mutex::new(Held {
                pace: Pace::default(),
                file,
            }),
        }
    }

    /// Looks at the account and changes it, alone.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Pace) -> T) -> T {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { pace, file } = &mut *held;
        let Some(shared) = file.as_mut().filter(|file| locked(file)) else {
            name(pace);
            return change(pace);
        };
        if let Some(read) = read(shared) {
            *pace = read;
        }
        name(pace);
        let outcome = change(pace);
        let written = write(shared, pace);
        let _ = shared.unlock();
        if let Err(error) = written {
            tracing::warn!(%error, "the account of a source's limits cannot be written, and is not shared with other processes any more");
            // What it says is old from now on, and this process knows better.
            *file = None;
        }
        outcome
    }
}

/// An account that begins gets an id of its own.
fn name(pace: &mut Pace) {
    if pace.id.is_empty() {
        pace.id = format!("{:032x}", rand::random::<u128>());
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

/// Others hold the file for microseconds; one that stopped in the middle must not stop us.
fn locked(file: &File) -> bool {
    for _ in 0..100 {
        if file.try_lock().is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    false
}

fn read(file: &mut File) -> Option<Pace> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(1 << 20).read_to_string(&mut text).ok()?;
    // A new file is empty; half a file was left by a process that died, and says nothing.
    serde_json::from_str(&text).ok()
}

fn write(file: &mut File, pace: &Pace) -> std::io::Result<()> {
    let text = serde_json::to_vec(pace)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&text)?;
    file.set_len(text.len() as u64)
}
