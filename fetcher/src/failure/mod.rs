//! What can go wrong between a question and its answer. HTTP and GraphQL failures are sorted here and nowhere
//! else.

pub(crate) mod classify;
pub(crate) mod error;
pub(crate) mod redactor;
pub(crate) mod reported;

pub use error::{Attempt, Class, FetchError, FetchErrorKind};
pub use reported::GraphQlError;
