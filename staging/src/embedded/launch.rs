//! Launching a server: its programs, its cluster, its address, and the wait until it answers.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use super::binaries::{self, Binaries, Places};
use super::failure::EmbeddedError;
use super::postmaster::{self, Address, Answer};
use super::server_folder::ServerFolder;
use super::{cluster, download};

/// A Unix socket's path has 108 bytes on Linux and 104 on macOS, the closing NUL included.
const SOCKET_LIMIT: usize = if cfg!(target_os = "macos") { 103 } else { 107 };
/// Long enough for the recovery of a large database after a crash.
pub(super) const START_LIMIT: Duration = Duration::from_secs(300);
/// Between two looks at a server that starts or stops.
pub(super) const PAUSE: Duration = Duration::from_millis(15);
const SOCKET_PORT: u16 = 5432;
const LOG_LIMIT: u64 = 5 * 1024 * 1024;

/// Starts a server in the folder, whose free `server.lock` the caller hands over.
pub(super) async fn launch(
    files: &ServerFolder,
    password: &str,
    places: &Places,
    free: File,
) -> Result<Answer, EmbeddedError> {
    let binaries = programs(files, places).await?;
    if cluster::major_version(&files.cluster()).is_none() {
        cluster::create(files, &binaries, password, &free).await?;
    }
    remove_stale_files(files)?;
    // A loopback port found free can be taken by another program before the server binds it.
    let mut attempts = 1..=5;
    loop {
        let last = attempts.next().is_none_or(|attempt| attempt == 5);
        let address = address(files)?;
        cluster::configure(files, &address)?;
        let held = free
            .try_clone()
            .map_err(EmbeddedError::file("share the lock", files.server_lock()))?;
        let child = spawn(files, &binaries, held)?;
        match wait_until_ready(files, password, child).await {
            Err(EmbeddedError::Start { tail, .. })
                if !last
                    && matches!(address, Address::Loopback { .. })
                    && tail.contains("could not bind") => {}
            outcome => return outcome,
        }
    }
}

/// Nobody holds the server's lock, so files that claim a server are stale, whatever process (a recycled pid,
/// a zombie) bears the number in them. PostgreSQL would believe the number; its own last guard, the shared
/// memory segment, stays in force.
fn remove_stale_files(files: &ServerFolder) -> Result<(), EmbeddedError> {
    let socket = files.socket().join(format!(".s.PGSQL.{SOCKET_PORT}"));
    let stale = [
        files.cluster().join("postmaster.pid"),
        socket.with_extension(format!("{SOCKET_PORT}.lock")),
        socket,
    ];
    for file in stale {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(EmbeddedError::file("remove the stale file", file)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn programs(files: &ServerFolder, places: &Places) -> Result<Binaries, EmbeddedError> {
    let wanted = cluster::major_version(&files.cluster());
    if let Some(dir) = &places.chosen {
        return binaries::examine(dir, wanted).map_err(|reason| EmbeddedError::ChosenBinaries {
            dir: dir.clone(),
            reason,
        });
    }
    let downloads = files.dir.join("download");
    let mut places = places.clone();
    places.installations.push((downloads.clone(), ""));
    let looked = match binaries::find(&places, wanted) {
        Ok(binaries) => return Ok(binaries),
        Err(looked) => looked,
    };
    if let Some(major) = wanted {
        return Err(EmbeddedError::OtherMajor {
            dir: files.cluster(),
            major,
            looked,
        });
    }
    if !places.download {
        return Err(EmbeddedError::NoBinaries {
            looked,
            download: None,
        });
    }
    match download::server(&downloads).await {
        Ok(dir) => binaries::examine(&dir, None)
            .map_err(|reason| EmbeddedError::ChosenBinaries { dir, reason }),
        Err(problem) => Err(EmbeddedError::NoBinaries {
            looked,
            download: Some(problem),
        }),
    }
}

/// The socket in the folder, or a free port where its path would be too long.
fn address(files: &ServerFolder) -> Result<Address, EmbeddedError> {
    let dir = files.socket();
    let name = format!("/.s.PGSQL.{SOCKET_PORT}");
    if dir.as_os_str().as_bytes().len() + name.len() <= SOCKET_LIMIT {
        return Ok(Address::Socket {
            dir,
            port: SOCKET_PORT,
        });
    }
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(EmbeddedError::file("find a free port for", &files.dir))?
        .port();
    Ok(Address::Loopback { port })
}

/// Starts the server in a process group of its own, so that Ctrl-C ends us and not it.
/// The lock becomes its standard input: it is held until the last server process is gone.
fn spawn(files: &ServerFolder, binaries: &Binaries, held: File) -> Result<Child, EmbeddedError> {
    let path = files.log();
    if fs::metadata(&path).is_ok_and(|log| log.len() > LOG_LIMIT) {
        fs::rename(&path, files.dir.join("server.log.1"))
            .map_err(EmbeddedError::file("rename", &path))?;
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(EmbeddedError::file("write", &path))?;
    let again = log
        .try_clone()
        .map_err(EmbeddedError::file("write", &path))?;
    let program = binaries.dir.join("postgres");
    cluster::program_of(files, &program)
        .arg("-D")
        .arg(files.cluster())
        .stdin(held)
        .stdout(log)
        .stderr(again)
        .process_group(0)
        .spawn()
        .map_err(|source| EmbeddedError::Program { program, source })
}

async fn wait_until_ready(
    files: &ServerFolder,
    password: &str,
    mut child: Child,
) -> Result<Answer, EmbeddedError> {
    let begin = Instant::now();
    let outcome = loop {
        if let Ok(Some(_ended)) = child.try_wait() {
            return Err(EmbeddedError::Start {
                log: files.log(),
                tail: tail(&files.log()),
            });
        }
        match postmaster::ask(files, password).await {
            Ok(Some(answer)) => break Ok(answer),
            Ok(None) if begin.elapsed() < START_LIMIT => tokio::time::sleep(PAUSE).await,
            Ok(None) => {
                break Err(EmbeddedError::Busy {
                    dir: files.dir.clone(),
                    seconds: START_LIMIT.as_secs(),
                });
            }
            Err(error) => break Err(error),
        }
    };
    // The server outlives us; while we live, somebody must take note of its end.
    std::thread::spawn(move || child.wait());
    outcome
}

/// The last lines of the log.
fn tail(log: &Path) -> String {
    let mut bytes = Vec::new();
    let _partial = File::open(log).and_then(|mut file| file.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
