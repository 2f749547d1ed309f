//! A schema as text.

/// A GraphQL schema in schema definition language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sdl(pub String);
