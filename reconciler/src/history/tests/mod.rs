//! Histories of small test tables, on a real server.

mod applying;
mod chaining;
mod explaining;
mod ledger;
mod returning;
mod verifying;

use sqlx::PgConnection;

use super::{Operation, RollbackOutcome, Sealed, apply_images, open, seal};
use ledger::{
    back, client, create_tables, dump, dump_all, promote, removal, rollback, run, sync, text, write,
};
