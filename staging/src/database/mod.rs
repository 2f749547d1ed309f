//! The database that Concord keeps: the configured server, or the embedded one.
//!
//! **The rule of poolers.** Supabase's Supavisor and PgBouncer in transaction mode give every
//! transaction whichever server session is free. So every statement of Concord runs inside a
//! transaction (`pool.begin()`), goes through [`query`], [`query_as`] or [`query_scalar`] (which leave
//! no named prepared statement behind), and session state is set only by `set local`. There are no
//! session advisory locks, no `LISTEN`, no temporary tables that outlive a transaction and no
//! database types of our own.

mod open;

mod failure;
mod migrate;
pub(crate) mod statement;
mod trouble;

#[cfg(test)]
mod tests;

pub use failure::OpenError;
pub use migrate::{MIGRATOR, migrate, migrate_with};
pub use open::{Database, DatabaseConfig, look, open};
pub use statement::{query, query_as, query_scalar};
pub use trouble::{Trouble, trouble};
