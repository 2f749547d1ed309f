//! How a record came to be its entity.

use serde::{Deserialize, Serialize};

/// How a record came to be its entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub(crate) enum Method {
    /// The entity was made of it.
    New,
    /// A row stood under its id that no record had made.
    SourceId,
    /// A placeholder stood for it until it came.
    Known,
    /// It shares an exact key with the entity.
    ExactKey,
    /// A score says that it is the entity.
    Scored,
    /// A person said so.
    Said,
    /// It has not come yet; a child refers to it.
    Placeholder,
    /// Its source merged it into the entity: it is another name of it, and claims nothing.
    Merged,
    /// A person took it out of another entity.
    Unmerged,
}

impl Method {
    /// Whether it joined an entity that was there before it.
    pub(crate) fn joined(self) -> bool {
        matches!(
            self,
            Self::ExactKey | Self::Scored | Self::Said | Self::Merged
        )
    }

    /// The name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::SourceId => "source_id",
            Self::Known => "known",
            Self::ExactKey => "exact_key",
            Self::Scored => "scored",
            Self::Said => "said",
            Self::Placeholder => "placeholder",
            Self::Merged => "merged",
            Self::Unmerged => "unmerged",
        }
    }
}
