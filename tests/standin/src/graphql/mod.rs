//! GraphQL: parsed, validated and introspected by async-graphql, executed by us straight from the store to bytes.

pub(crate) mod schema;
mod literal;
pub(crate) mod plan;
pub(crate) mod window;
pub(crate) mod answer;
mod filters;
mod select;
pub(crate) mod root;
pub(crate) mod request;
