//! The folder that holds the embedded server: cluster, socket, password, locks and log.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rand::distr::{Alphanumeric, SampleString};
use sha2::{Digest, Sha256};

use super::account::{self, Account};
use super::failure::EmbeddedError;

/// Where root keeps a cluster whose data directory its account cannot reach (below `/root`, for example).
const ELSEWHERE: &str = "/var/lib/concord";

/// The folder of one embedded server and the account that runs it.
#[derive(Debug, Clone)]
pub(super) struct ServerFolder {
    pub(super) dir: PathBuf,
    pub(super) account: Option<Account>,
}

impl ServerFolder {
    /// Opens the server's folder of a data directory, and makes it if it is new. The place is chosen once:
    /// where it is not `<data_dir>/postgres`, the file `location` there names it for good.
    pub(super) fn open(data_dir: &Path) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(data_dir)
            .map_err(EmbeddedError::file("create the data directory", data_dir))?;
        let data_dir = data_dir
            .canonicalize()
            .map_err(EmbeddedError::file("find the data directory", data_dir))?;
        let home = data_dir.join("postgres");
        let dir = match located(&home)? {
            Some(dir) => dir,
            None => home.clone(),
        };
        let account = account::for_cluster(&dir.join("cluster"))?;
        let dir = match account {
            Some(account) if dir == home && !account::may_reach(account, &data_dir) => {
                elsewhere(&data_dir, &home)?
            }
            _ => dir,
        };
        let files = Self { dir, account };
        // The account passes through, but cannot list or change what belongs to us.
        folder(&files.dir, if account.is_some() { 0o711 } else { 0o700 })?;
        folder(&files.socket(), 0o700)?;
        files.give(&files.socket())?;
        Ok(files)
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.dir.join("cluster")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("socket")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    pub(super) fn start_lock(&self) -> PathBuf {
        self.dir.join("start.lock")
    }

    pub(super) fn users_lock(&self) -> PathBuf {
        self.dir.join("users.lock")
    }

    pub(super) fn server_lock(&self) -> PathBuf {
        self.dir.join("server.lock")
    }

    /// Gives a file or folder to the account that runs the server.
    pub(super) fn give(&self, path: &Path) -> Result<(), EmbeddedError> {
        let Some(account) = self.account else {
            return Ok(());
        };
        chown(path, Some(account.uid), Some(account.gid)).map_err(EmbeddedError::file(
            "give to the account of the database server",
            path,
        ))
    }

    /// The server's password, made up at the first call. Callers hold `start.lock`.
    pub(super) fn password(&self) -> Result<String, EmbeddedError> {
        let path = self.dir.join("password");
        match fs::read_to_string(&path) {
            Ok(password) if !password.is_empty() => return Ok(password),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(EmbeddedError::file("read the password in", path)(error)),
        }
        let password = Alphanumeric.sample_string(&mut rand::rng(), 32);
        write_private(&path, &password)?;
        Ok(password)
    }
}

/// Writes a file that only its owner may read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), EmbeddedError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(EmbeddedError::file("write", path))
}

/// Whether a data directory holds, or names, a cluster; nothing is made by asking.
pub(crate) fn is_made(data_dir: &Path) -> bool {
    let home = data_dir.join("postgres");
    let dir = located(&home).ok().flatten().unwrap_or(home);
    // A cluster belongs to the server's account, and others may not look into it.
    dir.join("cluster").is_dir()
}

fn located(home: &Path) -> Result<Option<PathBuf>, EmbeddedError> {
    let path = home.join("location");
    match fs::read_to_string(&path) {
        Ok(dir) => Ok(Some(PathBuf::from(dir.trim_end_matches('\n')))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EmbeddedError::file("read", path)(error)),
    }
}

fn elsewhere(data_dir: &Path, home: &Path) -> Result<PathBuf, EmbeddedError> {
    let digest = hex::encode(Sha256::digest(data_dir.as_os_str().as_bytes()));
    let dir = Path::new(ELSEWHERE).join(&digest[..12]);
    folder(Path::new(ELSEWHERE), 0o711)?;
    folder(home, 0o700)?;
    let draft = home.join("location.new");
    write_private(&draft, &format!("{}\n", dir.display()))?;
    fs::rename(&draft, home.join("location"))
        .map_err(EmbeddedError::file("write", home.join("location")))?;
    tracing::info!(
        place = %dir.display(),
        "The database server's account cannot reach the data directory, so the database is kept in another place."
    );
    Ok(dir)
}

/// Makes a folder with exactly this mode, whatever the umask; an existing one is left as it is.
fn folder(path: &Path, mode: u32) -> Result<(), EmbeddedError> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(EmbeddedError::file("create the folder", path))
}
