//! GraphQL: parsed, validated and introspected by async-graphql, executed by us straight from the store to
//! bytes.

pub(crate) mod answer;
mod filters;
mod literal;
pub(crate) mod plan;
pub(crate) mod request;
pub(crate) mod root;
pub(crate) mod schema;
mod select;
pub(crate) mod window;
