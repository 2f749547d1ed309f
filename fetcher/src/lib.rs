//! Talks to sources: modules as folders of data, HTTP and GraphQL, OAuth2, limits, retries.
//!
//! A fetcher is a stream of pages. It knows no database and imports none of the other crates.

mod auth;
mod diagnostic;
mod export;
mod failure;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod length;
mod modules;
mod nearest;
mod pages;
mod schema;
mod source;

pub use auth::{
    Authorization, Secret, TokenError, TokenStore, Tokens, await_callback, exchange_code,
    start_authorization,
};
pub use diagnostic::Diagnostic;
pub use export::{ExportError, Written, write_jsonl};
pub use failure::{Attempt, Class, FetchError, FetchErrorKind, GraphQlError};
pub use length::length_of_time;
pub use modules::{
    Bound, Divide, FetchSpec, IdPath, Module, Nested, NewestFirst, Paging, Path, Reach, Read,
    Recheck, Scale, Since, Style, Window, load_modules,
};
pub use nearest::{did_you_mean, nearest, one_of};
pub use pages::{Cursor, Hole, Page, Record, Selection, is_there, pages};
pub use schema::{
    CheckedSchema, Drift, QueryDocument, ScaffoldError, Sdl, Shape, check_query, introspect, probe,
    scaffold, selection_paths, show_schema,
};
pub use source::{
    AccountConfig, AuthConfig, AuthKind, BreakerConfig, ConfigError, Pauses, Presence, Priority,
    Rate, RateShare, ResponseDiagnostics, RetryConfig, SecretRef, Source, SourceConfig, Standing,
};
