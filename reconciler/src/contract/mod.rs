//! The published shape and quality of a production table: an Open Data Contract Standard v3 document,
//! the rows it admits, and the table the engine makes of it.

mod acceptance;
mod catalogue;
mod coercion;
mod column;
mod decimal;
mod difference;
mod document;
mod evolution;
mod instant;
mod position;
mod quality;
mod vocabulary;

pub use column::{Bound, Check, Column, LogicalType, PhysicalType};
pub use difference::{Change, Difference, EvolveError};
pub use document::{AUDIT_COLUMNS, Contract, ContractError};
pub use evolution::{contract_problems, evolve};
pub use instant::instant;
pub use position::{Place, position_of};
