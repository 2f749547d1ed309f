//! The PostgreSQL server that Concord starts for itself when no database is configured.
//!
//! Everything lies in one folder, `<data_dir>/postgres` (see [`server_folder`]), and three lock files guard
//! it: `start.lock` is held while somebody starts or stops the server, `users.lock` is shared by every
//! process that uses it (the last to leave stops the server), and `server.lock` is held by the server itself,
//! which inherits it as its standard input. The kernel drops a lock when its holder dies in whatever way, so
//! a stale pid file, a recycled pid or a zombie never decides anything here.

pub(crate) mod server;

mod account;
mod binaries;
mod cluster;
mod download;
pub(crate) mod failure;
mod launch;
mod lock;
mod postmaster;
pub(crate) mod server_folder;

#[cfg(test)]
mod tests;

pub use failure::EmbeddedError;
pub use server::{Embedded, start, stop};
