//! What the routes share.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sqlx::PgPool;

use crate::health::ModuleInfo;

/// What the routes share.
#[derive(Clone)]
pub struct Monitor {
    /// The database.
    pub pool: PgPool,
    /// The modules to be judged, in the order to show them.
    pub modules: Arc<[ModuleInfo]>,
    /// This program's version.
    pub version: String,
    /// The zone of the clock on the page.
    pub zone: TimeZone,
}
