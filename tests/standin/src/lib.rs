#![doc = include_str!("../README.md")]

mod admin;
mod auth;
mod bulk;
mod data;
mod endpoint;
mod faults;
mod graphql;
mod interference;
mod limiter;
mod oauth;
mod options;
mod server;
mod stats;
mod store;

pub use auth::{ACCESS_TOKEN, API_KEY, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN};
pub use bulk::{BulkOptions, serve_bulk};
pub use data::notes::SPELLINGS;
pub use faults::{FaultName, FaultSpec};
pub use graphql::schema::sdl;
pub use options::{Options, Volumes};
pub use server::{Running, StandinError, Urls, serve};
pub use store::Kind;
