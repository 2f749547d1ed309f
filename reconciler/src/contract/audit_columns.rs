//! The audit columns, which the engine adds to every production table.

use super::column::PhysicalType;

/// The audit columns, their types and the rest of their definition.
pub(super) const AUDIT: [(&str, PhysicalType, &str); 6] = [
    (
        "created_at",
        PhysicalType::Timestamptz,
        "not null default now()",
    ),
    (
        "updated_at",
        PhysicalType::Timestamptz,
        "not null default now()",
    ),
    ("synced_at", PhysicalType::Timestamptz, ""),
    ("deleted_at", PhysicalType::Timestamptz, ""),
    ("version", PhysicalType::BigInt, "not null default 1"),
    (
        "is_placeholder",
        PhysicalType::Boolean,
        "not null default false",
    ),
];

/// Whether a column is an audit column; a contract may not name one.
pub(crate) fn is_audit(column: &str) -> bool {
    AUDIT.iter().any(|(name, ..)| *name == column)
}
