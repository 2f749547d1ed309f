//! Other dialects of GraphQL, each read by a module folder of tests/fixtures/dialects and nothing else.

mod landing;
mod nesting;
mod paging;
mod partial;
mod server;
