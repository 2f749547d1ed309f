#![doc = include_str!("../README.md")]

mod options;
mod server;
mod endpoint;
mod interference;
mod auth;
mod oauth;
mod graphql;
mod faults;
mod store;
mod data;
mod admin;
mod stats;
mod bulk;

pub use auth::{ACCESS_TOKEN, API_KEY, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN};
pub use bulk::{BulkOptions, serve_bulk};
pub use data::notes::SPELLINGS;
pub use faults::{FaultName, FaultSpec};
pub use graphql::schema::sdl;
pub use options::{Options, Volumes};
pub use server::{Running, StandinError, Urls, serve};
pub use store::Kind;
