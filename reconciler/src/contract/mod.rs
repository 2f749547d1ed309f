//! Contracts of production tables: Open Data Contract Standard v3 documents, the validation of rows, and the
//! evolution of tables.

mod acceptance;
mod agreement;
mod audit_columns;
mod catalogue;
mod coercion;
mod column;
mod decimal;
mod difference;
mod document;
mod error;
mod evolution;
mod instant;
mod node;
mod position;
mod quality;
mod vocabulary;

pub use agreement::contract_problems;
pub(crate) use audit_columns::is_audit;
pub use column::{Bound, Check, Column, LogicalType, PhysicalType};
pub use difference::{Change, Difference, EvolveError};
pub use document::Contract;
pub use error::ContractError;
pub use evolution::evolve;
pub use instant::instant;
pub use position::{Place, position_of};
