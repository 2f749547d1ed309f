//! The unprivileged account that runs the server when Concord itself is root, since PostgreSQL refuses root.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::EmbeddedError;

/// A user and group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The account for a cluster: none for an ordinary user, the owner of an existing cluster, else a system
/// account.
pub(super) fn for_cluster(cluster: &Path) -> Result<Option<Account>, EmbeddedError> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    if let Ok(owner) = cluster.metadata()
        && owner.uid() != 0
    {
        return Ok(Some(Account {
            uid: owner.uid(),
            gid: owner.gid(),
        }));
    }
    system_account().map(Some).ok_or(EmbeddedError::NoAccount)
}

/// Whether the account may pass through every folder on the way to `dir`, and through `dir` itself.
pub(super) fn may_reach(account: Account, dir: &Path) -> bool {
    dir.ancestors().all(|folder| {
        folder.metadata().is_ok_and(|folder| {
            let mode = folder.mode();
            mode & 0o001 != 0
                || (folder.uid() == account.uid && mode & 0o100 != 0)
                || (folder.gid() == account.gid && mode & 0o010 != 0)
        })
    })
}

fn system_account() -> Option<Account> {
    const OWN: &str = "concord-pg";
    ["postgres", "_postgres", OWN]
        .into_iter()
        .find_map(named)
        .or_else(|| {
            create(OWN);
            named(OWN)
        })
        .or_else(|| named("nobody"))
}

/// `id` asks the same directories (files, LDAP, macOS Open Directory) as the system itself.
fn named(name: &str) -> Option<Account> {
    Some(Account {
        uid: number("-u", name)?,
        gid: number("-g", name)?,
    })
    .filter(|account| account.uid != 0)
}

fn number(what: &str, name: &str) -> Option<u32> {
    let answer = Command::new("id").args([what, name]).output().ok()?;
    answer.status.success().then_some(())?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

/// A failure shows in the look-up that follows.
fn create(name: &str) {
    for program in ["useradd", "/usr/sbin/useradd"] {
        let made = Command::new(program)
            .args([
                "--system",
                "--no-create-home",
                "--shell",
                "/usr/sbin/nologin",
                name,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if made.is_ok() {
            return;
        }
    }
}
