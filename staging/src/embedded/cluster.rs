//! Making a cluster with `initdb`, and its settings.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::EmbeddedError;
use super::binaries::Binaries;
use super::postmaster::{Address, USER};
use super::room::{Room, write_private};

/// Chosen for one program on one machine: bulk merges, few sessions, and no loss at a power cut.
const SETTINGS: &str = "\
# Written by Concord at every start; changes here are lost.
max_connections = 50
shared_buffers = '128MB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
timezone = 'UTC'
log_timezone = 'UTC'
jit = off
# Crash safety stays on. There are no replicas, so bulk loads need not write the log that those would read.
fsync = on
full_page_writes = on
wal_level = minimal
max_wal_senders = 0
# Parallel workers share memory through /dev/shm, which containers limit to 64 MB.
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
# Statements and key values can hold personal data, which belongs in no log.
log_min_messages = warning
log_min_error_statement = panic
log_error_verbosity = terse
cluster_name = 'concord'
";

/// The major version that made the cluster, if there is one.
pub(super) fn major_version(cluster: &Path) -> Option<u32> {
    fs::read_to_string(cluster.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// Makes the cluster in the room. It appears under its name only when it is whole, so a crash half-way leaves
/// none. `initdb` inherits the server's lock: it outlives us if we are killed, and nobody may start another
/// beside it.
pub(super) async fn create(
    room: &Room,
    binaries: &Binaries,
    password: &str,
    free: &File,
) -> Result<(), EmbeddedError> {
    let draft = room.dir.join("cluster.new");
    let secret = room.dir.join("password.new");
    let mut output = String::new();
    for locale in locales(binaries.major) {
        // A folder of the account's own, since the room belongs to us.
        clear(&draft)?;
        fs::create_dir(&draft).map_err(EmbeddedError::file("create the folder", &draft))?;
        room.give(&draft)?;
        write_private(&secret, password)?;
        room.give(&secret)?;
        let held = free
            .try_clone()
            .map_err(EmbeddedError::file("share the lock", room.server_lock()))?;
        let made = initdb(room, binaries, [&draft, &secret], held, locale).await;
        fs::remove_file(&secret).map_err(EmbeddedError::file("remove", &secret))?;
        match made? {
            None => {
                include_settings(&draft)?;
                let cluster = room.cluster();
                return fs::rename(&draft, &cluster)
                    .map_err(EmbeddedError::file("create the folder", &cluster));
            }
            Some(problem) => output = problem,
        }
    }
    Err(EmbeddedError::Init {
        dir: room.cluster(),
        output,
    })
}

/// UTF-8 rules for letters where the system has them: with plain `C`, `lower('É')` is `É`.
fn locales(major: u32) -> Vec<&'static [&'static str]> {
    let mut locales: Vec<&[&str]> = vec![&["--locale=C.UTF-8"], &["--locale=C"]];
    if major >= 17 {
        locales.insert(
            0,
            &[
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
            ],
        );
    }
    locales
}

/// Runs `initdb`; what it said, if it failed.
async fn initdb(
    room: &Room,
    binaries: &Binaries,
    [draft, secret]: [&Path; 2],
    held: File,
    locale: &[&str],
) -> Result<Option<String>, EmbeddedError> {
    let program = binaries.dir.join("initdb");
    let mut command = Command::from(program_of(room, &program));
    let run = command
        .arg("--pgdata")
        .arg(draft)
        .arg("--pwfile")
        .arg(secret)
        .args([
            // A bit that flips on the disk is noticed where it is read.
            "--data-checksums",
            "--username",
            USER,
            "--encoding=UTF8",
            "--auth=scram-sha-256",
        ])
        .args(locale)
        .stdin(held)
        .output();
    let answer = run
        .await
        .map_err(|source| EmbeddedError::Program { program, source })?;
    if answer.status.success() {
        return Ok(None);
    }
    Ok(Some(
        String::from_utf8_lossy(&answer.stderr).trim().to_owned(),
    ))
}

/// A command that runs a server program as the room's account, deaf to the PostgreSQL variables of our own
/// environment.
pub(super) fn program_of(room: &Room, program: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    // Where the account may not enter, the programs could not even find themselves.
    command.current_dir(&room.dir).env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    if let Some(account) = room.account {
        use std::os::unix::process::CommandExt;
        command.uid(account.uid).gid(account.gid);
    }
    command
}

fn include_settings(cluster: &Path) -> Result<(), EmbeddedError> {
    let path = cluster.join("postgresql.conf");
    let append = || {
        let mut text = fs::read_to_string(&path)?;
        text.push_str("\ninclude_if_exists = 'concord.conf'\n");
        fs::write(&path, text)
    };
    append().map_err(EmbeddedError::file("write", path.clone()))
}

/// Writes the settings for the coming start, with the address to listen on.
pub(super) fn configure(room: &Room, address: &Address) -> Result<(), EmbeddedError> {
    let (hosts, socket, port) = match address {
        Address::Socket { dir, port } => (String::new(), quoted(dir), *port),
        Address::Loopback { port } => ("127.0.0.1".to_owned(), String::new(), *port),
    };
    let path: PathBuf = room.cluster().join("concord.conf");
    let text = format!(
        "{SETTINGS}port = {port}\nlisten_addresses = '{hosts}'\n\
         unix_socket_directories = '{socket}'\nunix_socket_permissions = 0700\n"
    );
    write_private(&path, &text)?;
    room.give(&path)
}

/// The value of `unix_socket_directories` is a list, so an entry is quoted twice: as a name and as a string.
fn quoted(dir: &Path) -> String {
    let name = dir.to_string_lossy().replace('"', "\"\"");
    format!("\"{name}\"")
        .replace('\\', "\\\\")
        .replace('\'', "''")
}

fn clear(dir: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::file("remove", dir)(error))
        }
        _ => Ok(()),
    }
}
