//! The answers over HTTP: the home page, the JSON, the probes and the metrics.

mod api;
mod exposition;
mod metrics;
mod monitor;
mod probes;
mod routes;
mod snapshot;

pub use monitor::Monitor;
pub use routes::{BindError, bind, router, serve};
