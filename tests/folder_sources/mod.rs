//! Sources that are nothing but module folders: a GraphQL server nobody here wrote, and other dialects.

mod dialects;
mod postgraphile;
mod programs;
mod rows;
mod scaffold;
mod workshop;
