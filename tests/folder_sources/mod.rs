//! Sources that are nothing but module folders: a GraphQL server nobody here wrote, and other dialects.

mod database;
mod dialects;
mod postgraphile;
mod programs;
mod scaffold;
mod workshop;
