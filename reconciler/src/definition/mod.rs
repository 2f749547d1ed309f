//! Modules as the reconciler uses them: compiled rules, parsed contracts, parents before children.

mod compile;
mod definitions;
mod error;
mod merged;
mod order;
mod scoring;
mod spec;
mod surviving;

pub use compile::Definition;
pub use definitions::Definitions;
pub use error::DefinitionError;
pub use spec::{
    DeriveSpec, KeySpec, MatchSpec, Missing, NormalSpec, OwnershipSpec, ReconcileSpec,
    ReferenceSpec, RuleSpec, ScoredSpec, Severity, Survivorship, TransformKind,
};
