//! What can go wrong between a question and its answer. HTTP and GraphQL failures are sorted here and nowhere
//! else.

mod classify;
mod error;
mod excerpt;
mod reported;

pub(crate) use classify::{Answer, Found, Raw, Rest, judge};
pub use error::{Attempt, Class, FetchError};
pub(crate) use excerpt::Redactor;
pub use reported::GraphQlError;
