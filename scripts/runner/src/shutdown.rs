//! Graceful shutdown on SIGINT or SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Set by the first SIGINT or SIGTERM.
#[derive(Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Listens from now on; the signals no longer end the program by themselves.
    pub fn listen() -> std::io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let _ = sender.send(true);
            // As long as somebody may ask.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Whether a signal has come.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for a signal.
    pub async fn requested(&self) {
        if self
            .0
            .clone()
            .wait_for(|requested| *requested)
            .await
            .is_err()
        {
            // No signal can come any more.
            std::future::pending::<()>().await;
        }
    }
}
