//! The answers over HTTP: the home page, the JSON, the probes and the metrics.

mod api;
mod exposition;
mod metrics;
mod probes;
mod routes;
mod snapshot;

pub use routes::{BindError, Monitor, bind, router, serve};
