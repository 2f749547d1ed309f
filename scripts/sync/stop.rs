//! The wish of a person or the system that the program end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Set by the first SIGINT or SIGTERM.
#[derive(Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
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

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Done once it is asked.
    pub async fn asked(&self) {
        if self.0.clone().wait_for(|asked| *asked).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }
}
