//! `run_sync`: starts the `concord` beside it under this name, so that the two need only one large program.

use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// Usage or configuration is wrong: an installation in parts.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let own = arguments.next();
    let concord = beside(own);
    // The process stays the same one: its number, its signals, its exit code.
    let failure = Command::new(&concord)
        .arg0("run_sync")
        .args(arguments)
        .exec();
    eprintln!(
        "run_sync: {} cannot be started: {failure}. Install both programs in one folder.",
        concord.display()
    );
    ExitCode::from(EXIT_USAGE)
}

/// The `concord` in the folder of this program; `own` is the name that it was called by.
fn beside(own: Option<OsString>) -> PathBuf {
    let own = env::current_exe().ok().or(own.map(PathBuf::from));
    own.unwrap_or_default().with_file_name("concord")
}
