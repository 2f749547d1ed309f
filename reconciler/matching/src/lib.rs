//! Record matching: which records are one person, institution or thing. Pure: no database, no clock, no
//! network.

pub mod base;
pub mod batch;
pub mod blocking;
pub mod compare;
pub mod decide;
pub mod evaluate;
pub mod explain;
pub mod fuzzing;
pub mod model;
pub mod normalise;
pub mod profile;
mod scored;
pub mod spec;
pub mod stored;
pub mod table;
pub mod train;

#[cfg(test)]
mod tests;
