//! The PostgreSQL server that Concord starts for itself when no database is configured.
//!
//! Everything lies in one folder, `<data_dir>/postgres` (see [`room`]), and three lock files rule it:
//! `start.lock` is held while somebody starts or stops the server, `users.lock` is shared by every
//! process that uses it (the last to leave stops the server), and `server.lock` is held by the server
//! itself, which inherits it as its standard input. The kernel drops a lock when its holder dies in
//! whatever way, so a stale pid file, a recycled pid or a zombie never decides anything here.

mod server;

mod account;
mod binaries;
mod cluster;
mod download;
mod failure;
mod launch;
mod lock;
mod postmaster;
mod room;

#[cfg(test)]
mod tests;

pub use failure::EmbeddedError;
pub(crate) use room::is_made;
pub use server::{Embedded, start, stop};
