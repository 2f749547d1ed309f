//! Changes to a table, and differences between a table and its contract.

/// One change that evolving a table made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The table was created.
    TableCreated,
    /// A column was added.
    ColumnAdded(String),
    /// A column's type was widened.
    ColumnWidened {
        /// The column.
        column: String,
        /// Its type before.
        from: String,
        /// Its type now.
        to: String,
    },
    /// A column became required.
    RequiredAdded(String),
    /// A column is no longer required.
    RequiredDropped(String),
    /// A column's values became unique.
    UniqueAdded(String),
    /// A column is no longer unique.
    UniqueDropped(String),
    /// The contract no longer names a column: the column keeps its values and is no longer filled.
    ColumnRetired(String),
    /// The description of the table (`None`) or of a column changed.
    Described(Option<String>),
}

/// One difference between a table and its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table, with its schema.
    pub table: String,
    /// The column at fault, if any.
    pub column: Option<String>,
    /// What the database has.
    pub database: String,
    /// What the contract says.
    pub contract: String,
    /// What to do about it, as a sentence.
    pub remedy: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let place = match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        };
        write!(
            f,
            "{place}: the database has {}; the contract says {}. {}",
            self.database, self.contract, self.remedy
        )
    }
}

/// Why a table could not be changed to match its contract.
#[derive(Debug, thiserror::Error)]
pub enum EvolveError {
    /// The change would be breaking; nothing was changed.
    #[error("The contract breaks the table, so nothing was changed:\n{}", listed(.0))]
    Breaking(Vec<Difference>),
    /// The schema's name is not a valid identifier.
    #[error(
        "`{0}` cannot be the name of a schema. Use lower-case letters, digits and underscores in the configuration."
    )]
    SchemaName(String),
    /// The database returned an error.
    #[error(
        "The table could not be read or changed. See the database's own message below, and check the rights of this account."
    )]
    Database(#[from] sqlx::Error),
}

fn listed(differences: &[Difference]) -> String {
    differences
        .iter()
        .map(|difference| format!("- {difference}"))
        .collect::<Vec<_>>()
        .join("\n")
}
