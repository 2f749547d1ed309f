//! An override: what a person or a restore decided for one cell of a row.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The cell that says whether a row is there at all.
pub(crate) const PRESENCE: &str = "";

/// Who set an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A person wrote the value.
    Manual,
    /// A rollback brought the value back; it gives way when that cell changes at its source.
    Restore,
}

/// Whether an override counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum State {
    /// Its value stands.
    Holds,
    /// Its value stands, and the sources have moved away from what it was set against.
    Conflict,
    /// It gave way, or a person released it.
    Released,
}

impl Kind {
    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Restore => "restore",
        }
    }
}

impl State {
    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Conflict => "conflict",
            Self::Released => "released",
        }
    }
}

/// What a person or a restore decided for one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Override {
    /// The column, or [`PRESENCE`].
    pub(crate) cell: String,
    /// What stands there.
    #[sqlx(json)]
    pub(crate) value: Value,
    /// What the claims came to when it was set; `None` where no claim said anything.
    #[sqlx(json(nullable))]
    pub(crate) against: Option<Value>,
    /// Who set it.
    pub(crate) kind: Kind,
    /// Who, by name: the database's session user for an edit that the database saw.
    pub(crate) author: String,
    /// Why, or with which program.
    pub(crate) reason: String,
    /// When, in UTC, as PostgreSQL writes it; `None` for one that is about to be set now.
    pub(crate) set_at: Option<String>,
    /// Whether it counts.
    pub(crate) state: State,
    /// The entity it was set on, where that one was absorbed since.
    pub(crate) carried_from: Option<String>,
}
