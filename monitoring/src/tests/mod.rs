//! The whole room against a real database: health, the page in both languages, JSON, probes and metrics.

mod answers;
mod outage;
mod reading;
mod visit;

use visit::{ask, module, modules, monitor, redacted, seed};
