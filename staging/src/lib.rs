//! PostgreSQL: embedded server, migrations, staged records, checkpoints and runs.

pub mod database;
pub mod embedded;

pub use database::MIGRATOR;
