//! GraphQL documents and schemas: what a query selects, and whether the source allows it.

mod check;
pub(crate) mod document;
mod drift;
mod introspection;
mod scaffold;
mod sdl;
mod selection;
mod stream_field;

pub use check::check_query;
pub use document::QueryDocument;
pub use drift::{Checked as CheckedSchema, Drift, Shape};
pub use introspection::{introspect, probe, show_schema};
pub use scaffold::{ScaffoldError, scaffold};
pub use sdl::Sdl;
pub use selection::selection_paths;
