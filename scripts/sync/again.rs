//! A job that is done again and again.

use std::time::Duration;

use super::Stop;
use crate::process::{exit_code, explain, say};

/// Does a job once or, with a pause, again and again until the program is asked to end; the exit code is that
/// of the last round.
pub async fn again(
    pause: Option<Duration>,
    stop: &Stop,
    round: impl AsyncFn() -> anyhow::Result<u8>,
) -> anyhow::Result<u8> {
    loop {
        let outcome = round().await;
        let Some(pause) = pause.filter(|_| !stop.is_asked()) else {
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
            () = stop.asked() => return Ok(code),
        }
    }
}
