//! `--watch`: the same job again and again.

use std::time::Duration;

use runner::Shutdown;

use crate::process::{exit_code, explain, say};

/// Does a job once or, with a pause, again and again until the program is asked to end. Returns the exit code
/// of the last round.
pub async fn repeat(
    pause: Option<Duration>,
    shutdown: &Shutdown,
    round: impl AsyncFn() -> anyhow::Result<u8>,
) -> anyhow::Result<u8> {
    loop {
        let outcome = round().await;
        let Some(pause) = pause.filter(|_| !shutdown.is_requested()) else {
            return outcome;
        };
        let code = match outcome {
            Ok(code) => code,
            Err(failure) => {
                // The next round may find the database again.
                say(&format!("run_sync: {}", explain(&failure)));
                exit_code(&failure)
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.requested() => return Ok(code),
        }
    }
}
