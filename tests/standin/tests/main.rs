//! What the stand-in promises, asked over HTTP.

mod stand;

mod auth;
mod drift;
mod faults;
mod paging;
mod program;
mod records;
mod shapes;
