//! Starting, sharing and stopping the server.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;

use super::binaries::Places;
use super::launch::launch;
use super::postmaster::{self, Answer, Postmaster};
use super::room::Room;
use super::{EmbeddedError, lock};

/// Long enough for the recovery of a large database after a crash.
pub(super) const START_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT: Duration = Duration::from_secs(60);
pub(super) const PAUSE: Duration = Duration::from_millis(15);
/// This process's share in the embedded server, which runs as long as anybody holds a share.
pub struct Embedded {
    room: Room,
    answer: Answer,
    users: Option<File>,
}

/// Starts the server of a data directory, or joins the one that runs there already.
pub async fn start(data_dir: &Path) -> Result<Embedded, EmbeddedError> {
    start_with(data_dir, &Places::of_this_machine()).await
}

/// Stops the server of a data directory, whoever uses it.
pub async fn stop(data_dir: &Path) -> Result<(), EmbeddedError> {
    let room = Room::open(data_dir)?;
    let _start = lock::exclusive(&room.start_lock()).await?;
    shut_down(&room).await
}

impl Embedded {
    /// How to connect.
    pub fn options(&self) -> PgConnectOptions {
        self.answer.options.clone()
    }

    /// Gives up the share; the last to do so stops the server and waits for its end. Close the pools before.
    pub async fn release(mut self) -> Result<(), EmbeddedError> {
        let _start = lock::exclusive(&self.room.start_lock()).await?;
        self.users = None;
        match lock::try_exclusive(&self.room.users_lock())? {
            Some(_nobody_else) => shut_down(&self.room).await,
            None => Ok(()),
        }
    }
}

impl Drop for Embedded {
    /// A share dropped without `release` (an early return, a panic) asks the server to stop, and does not
    /// wait.
    fn drop(&mut self) {
        if self.users.take().is_none() {
            return;
        }
        let last = || {
            let _start = lock::try_exclusive(&self.room.start_lock()).ok()??;
            let _users = lock::try_exclusive(&self.room.users_lock()).ok()??;
            let same = Postmaster::read(&self.room.cluster())? == self.answer.postmaster;
            let runs = lock::try_exclusive(&self.room.server_lock())
                .ok()?
                .is_none();
            (same && runs).then(|| self.answer.postmaster.interrupt())
        };
        let _asked = last();
    }
}

pub(super) async fn start_with(
    data_dir: &Path,
    places: &Places,
) -> Result<Embedded, EmbeddedError> {
    let room = Room::open(data_dir)?;
    let _start = lock::exclusive(&room.start_lock()).await?;
    let password = room.password()?;
    let answer = join_or_launch(&room, &password, places).await?;
    let users = Some(lock::shared(&room.users_lock())?);
    Ok(Embedded {
        room,
        answer,
        users,
    })
}

/// Holds `start.lock`. Either a server answers, or its lock is free and we start one; in between (a server
/// that starts, recovers or stops, or children that outlive their killed parent) we wait.
async fn join_or_launch(
    room: &Room,
    password: &str,
    places: &Places,
) -> Result<Answer, EmbeddedError> {
    let begin = Instant::now();
    loop {
        if let Some(answer) = postmaster::ask(room, password).await? {
            tracing::debug!(room = %room.dir.display(), "Joined the embedded database server.");
            return Ok(answer);
        }
        if let Some(free) = lock::try_exclusive(&room.server_lock())? {
            return launch(room, password, places, free).await;
        }
        if begin.elapsed() > START_LIMIT {
            return Err(EmbeddedError::Busy {
                dir: room.dir.clone(),
                seconds: START_LIMIT.as_secs(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Holds `start.lock`. Ends the server and waits until its last process is gone.
async fn shut_down(room: &Room) -> Result<(), EmbeddedError> {
    let password = room.password()?;
    let begin = Instant::now();
    let mut asked = false;
    while lock::try_exclusive(&room.server_lock())?.is_none() {
        // Only a server that answers is told to stop: the number in a stale pid file may be anybody's.
        if !asked && let Some(answer) = postmaster::ask(room, &password).await? {
            answer.postmaster.interrupt();
            asked = true;
        }
        if begin.elapsed() > STOP_LIMIT {
            return Err(EmbeddedError::Stop {
                dir: room.dir.clone(),
                seconds: STOP_LIMIT.as_secs(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod probe {
    //! What tests look at and may disturb.
    use super::*;

    impl Embedded {
        pub(in crate::embedded) fn postmaster(&self) -> &Postmaster {
            &self.answer.postmaster
        }

        pub(in crate::embedded) fn room(&self) -> &Room {
            &self.room
        }
    }
}
