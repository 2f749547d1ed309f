//! Reads a contract: one table, its columns and what they promise.

use super::column::{Column, LogicalType, PhysicalType};
use super::position::{Place, position_of};
use super::{quality, vocabulary};
use serde_norway::{Mapping, Value};

/// The columns the engine adds to every production table; a contract may not name them.
pub const AUDIT_COLUMNS: [&str; 6] = [
    "created_at",
    "updated_at",
    "synced_at",
    "deleted_at",
    "version",
    "is_placeholder",
];

/// The published shape and quality of one production table.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The table, and the kind of entity its rows are.
    pub entity: String,
    /// The file the contract was read from, for messages.
    pub file: String,
    /// The contract's own version.
    pub version: String,
    /// What a row is, for people; becomes the table's comment.
    pub description: Option<String>,
    /// The columns in the order of the document; `id` is among them.
    pub columns: Vec<Column>,
    /// What the document asks for and no single record can prove, one sentence each.
    pub unenforced: Vec<String>,
}

/// Why a contract cannot be used: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem} {remedy}")]
pub struct ContractError {
    /// The contract's file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong, as a sentence.
    pub problem: String,
    /// What to do about it, as a sentence.
    pub remedy: String,
}

impl Contract {
    /// Reads the contract in `text`; `file` is only for messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, ContractError> {
        let contract = parse(text).map_err(|fault| fault.into_error(file, text))?;
        Ok(Self {
            file: file.to_owned(),
            ..contract
        })
    }

    /// The contract of a table that several modules fill: all their columns, each required only where every
    /// contract requires it, so that no module's rows are refused for another's columns.
    pub fn union(contracts: &[Self]) -> Result<Self, ContractError> {
        let mut all = contracts.iter();
        let mut union = all.next().cloned().ok_or_else(|| ContractError {
            file: "contract.yaml".to_owned(),
            line: 1,
            column: 1,
            problem: "No contract describes this table.".to_owned(),
            remedy: "Add one to the module's folder.".to_owned(),
        })?;
        for contract in all {
            for column in &mut union.columns {
                column.required &= contract
                    .column(&column.name)
                    .is_some_and(|other| other.required);
            }
            for other in &contract.columns {
                match union
                    .columns
                    .iter_mut()
                    .find(|column| column.name == other.name)
                {
                    None => union.columns.push(Column {
                        required: false,
                        ..other.clone()
                    }),
                    Some(column) if column.physical == other.physical => {
                        column.unique |= other.unique
                    }
                    Some(column) => {
                        return Err(ContractError {
                            file: contract.file.clone(),
                            line: 1,
                            column: 1,
                            problem: format!(
                                "Column `{}.{}` is `{}` here and `{}` in {}.",
                                contract.entity,
                                other.name,
                                other.physical,
                                column.physical,
                                union.file
                            ),
                            remedy: "Give it the same physicalType in both contracts.".to_owned(),
                        });
                    }
                }
            }
        }
        Ok(union)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// A fault before it is known on which line it stands.
pub(super) struct Fault {
    path: Vec<Place>,
    at: Option<(usize, usize)>,
    problem: String,
    remedy: String,
}

impl Fault {
    fn into_error(self, file: &str, text: &str) -> ContractError {
        let (line, column) = self.at.unwrap_or_else(|| position_of(text, &self.path));
        ContractError {
            file: file.to_owned(),
            line,
            column,
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// A value of the document with the way to it.
#[derive(Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    path: Vec<Place>,
}

impl<'v> Node<'v> {
    pub(super) fn fault(&self, problem: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault {
            path: self.path.clone(),
            at: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The value of a key; a key whose value is null counts as not written.
    pub(super) fn get(&self, key: &str) -> Option<Node<'v>> {
        let value = self
            .value
            .as_mapping()?
            .get(key)
            .filter(|value| !value.is_null())?;
        Some(Node {
            value,
            path: [self.path.as_slice(), &[Place::Key(key.to_owned())]].concat(),
        })
    }

    pub(super) fn mapping(&self, what: &str, keys: &[&str]) -> Result<&'v Mapping, Fault> {
        let Some(mapping) = self.value.as_mapping() else {
            return Err(self.fault(
                format!("{what} is not a mapping."),
                "Write it as `key: value` lines.",
            ));
        };
        for key in mapping.keys() {
            let word = key
                .as_str()
                .map_or_else(|| format!("{key:?}"), str::to_owned);
            if !keys.contains(&word.as_str()) {
                let mut path = self.path.clone();
                path.push(Place::Key(word.clone()));
                let remedy = match vocabulary::nearest(&word, keys) {
                    Some(near) => format!(
                        "Write `{near}` if that is meant, else put it below `customProperties`."
                    ),
                    None => "Remove it, or put it below `customProperties`.".to_owned(),
                };
                let problem =
                    format!("`{word}` is not a key of {what} in the Open Data Contract Standard.");
                return Err(Fault {
                    path,
                    at: None,
                    problem,
                    remedy,
                });
            }
        }
        Ok(mapping)
    }

    pub(super) fn items(&self, what: &str) -> Result<Vec<Node<'v>>, Fault> {
        let Some(items) = self.value.as_sequence() else {
            return Err(self.fault(
                format!("{what} is not a list."),
                "Write it as `- item` lines.",
            ));
        };
        let node = |(index, value)| Node {
            value,
            path: [self.path.as_slice(), &[Place::Item(index)]].concat(),
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    pub(super) fn text(&self, what: &str) -> Result<&'v str, Fault> {
        self.value
            .as_str()
            .ok_or_else(|| self.fault(format!("{what} is not a text."), "Put it in quotes."))
    }

    fn flag(&self, key: &str) -> Result<bool, Fault> {
        self.get(key).map_or(Ok(false), |node| {
            node.value.as_bool().ok_or_else(|| {
                node.fault(
                    format!("`{key}` is neither true nor false."),
                    "Write `true` or `false` without quotes.",
                )
            })
        })
    }

    fn optional_text(&self, key: &str) -> Result<Option<String>, Fault> {
        self.get(key)
            .map(|node| node.text(&format!("`{key}`")).map(str::to_owned))
            .transpose()
    }

    fn required_text(&self, key: &str, remedy: &str) -> Result<(Node<'v>, &'v str), Fault> {
        let node = self
            .get(key)
            .ok_or_else(|| self.fault(format!("`{key}` is missing."), remedy))?;
        let text = node.text(&format!("`{key}`"))?;
        Ok((node, text))
    }
}

fn parse(text: &str) -> Result<Contract, Fault> {
    let value: Value = serde_norway::from_str(text).map_err(|error| Fault {
        path: Vec::new(),
        at: Some(
            error
                .location()
                .map_or((1, 1), |at| (at.line(), at.column())),
        ),
        problem: format!("This is not YAML: {error}."),
        remedy: "Correct the indentation or the quotes on that line.".to_owned(),
    })?;
    let root = Node {
        value: &value,
        path: Vec::new(),
    };
    root.mapping("a contract", vocabulary::DOCUMENT)?;
    let version = header(&root)?;
    let schema = root.get("schema").ok_or_else(|| {
        root.fault(
            "`schema` is missing.",
            "Describe the table below `schema:`.",
        )
    })?;
    let tables = schema.items("`schema`")?;
    let [table] = tables.as_slice() else {
        return Err(schema.fault(
            format!(
                "The contract describes {} tables, and a module fills exactly one.",
                tables.len()
            ),
            "Split it into one contract per table, each in its own module folder.",
        ));
    };
    read_table(table, version)
}

fn header(root: &Node) -> Result<String, Fault> {
    let (node, api) = root.required_text("apiVersion", "Write `apiVersion: v3.1.0`.")?;
    if !api.starts_with("v3.") {
        return Err(node.fault(
            format!("`{api}` is not version 3 of the standard."),
            "Write `apiVersion: v3.1.0`.",
        ));
    }
    let (node, kind) = root.required_text("kind", "Write `kind: DataContract`.")?;
    if kind != "DataContract" {
        return Err(node.fault(
            format!("`{kind}` is not a data contract."),
            "Write `kind: DataContract`.",
        ));
    }
    root.required_text(
        "id",
        "Give the contract an `id` that never changes, such as `urn:concord:clients`.",
    )?;
    root.required_text(
        "status",
        "Write `status: active` (or proposed, draft, deprecated, retired).",
    )?;
    root.optional_text("name")?;
    if let Some(description) = root
        .get("description")
        .filter(|node| !node.value.is_string())
    {
        description.mapping("`description`", vocabulary::DESCRIPTION)?;
    }
    let (_, version) = root.required_text(
        "version",
        "Write a version in quotes, such as `version: \"1.0.0\"`.",
    )?;
    Ok(version.to_owned())
}

fn read_table(table: &Node, version: String) -> Result<Contract, Fault> {
    table.mapping("a table", vocabulary::TABLE)?;
    let (node, name) =
        table.required_text("name", "Name the table in the plural, such as `clients`.")?;
    let entity = table
        .optional_text("physicalName")?
        .unwrap_or_else(|| name.to_owned());
    identifier(&node, "table", &entity)?;
    let properties = table.get("properties").ok_or_else(|| {
        table.fault(
            "The table has no `properties`.",
            "List its columns below `properties:`.",
        )
    })?;
    let mut contract = Contract {
        entity,
        file: String::new(),
        version,
        description: table.optional_text("description")?,
        columns: Vec::new(),
        unenforced: Vec::new(),
    };
    for node in properties.items("`properties`")? {
        let column = read_column(&node, &mut contract.unenforced)?;
        if contract.column(&column.name).is_some() {
            return Err(node.fault(
                format!("Column `{}` is described twice.", column.name),
                "Keep one of the two.",
            ));
        }
        contract.columns.push(column);
    }
    if contract.column("id").is_none() {
        return Err(properties.fault(
            "The table has no column `id`.",
            "Add `- { name: id, logicalType: string, physicalType: text, required: true, primaryKey: true }`: it holds the source's own id.",
        ));
    }
    if let Some(rules) = table.get("quality") {
        quality::read_table_rules(&rules, &contract.entity, &mut contract.unenforced)?;
    }
    Ok(contract)
}

fn read_column(node: &Node, unenforced: &mut Vec<String>) -> Result<Column, Fault> {
    node.mapping("a column", vocabulary::COLUMN)?;
    let (name_node, name) = node.required_text("name", "Give the column a name.")?;
    identifier(&name_node, "column", name)?;
    if AUDIT_COLUMNS.contains(&name) {
        let remedy = format!(
            "Rename it, for instance `source_{name}`; the engine adds and keeps `{name}` itself."
        );
        return Err(name_node.fault(format!("`{name}` is an audit column."), remedy));
    }
    let (logical, physical) = types(node, name)?;
    let mut column = Column {
        name: name.to_owned(),
        logical,
        physical,
        required: node.flag("required")?,
        unique: node.flag("unique")?,
        classification: node.optional_text("classification")?,
        description: node.optional_text("description")?,
        checks: Vec::new(),
    };
    let primary_key = node.flag("primaryKey")?;
    if let Some(options) = node.get("logicalTypeOptions") {
        quality::read_options(&options, &mut column, unenforced)?;
    }
    if let Some(words) = node.get("enum") {
        quality::read_enum(&words, &mut column)?;
    }
    if let Some(rules) = node.get("quality") {
        quality::read_rules(&rules, &mut column, unenforced)?;
    }
    key_duties(node, &mut column, primary_key)?;
    Ok(column)
}

/// `id` is the primary key and text; nothing else is a primary key.
fn key_duties(node: &Node, column: &mut Column, primary_key: bool) -> Result<(), Fault> {
    if column.name == "id" {
        if column.physical != PhysicalType::Text {
            let problem = format!(
                "`id` is `{}`, and it holds the source's own id verbatim.",
                column.physical
            );
            return Err(node.fault(problem, "Write `physicalType: text`."));
        }
        column.required = true;
        column.unique = false;
        return Ok(());
    }
    if primary_key {
        let problem = format!(
            "`{}` is marked as primary key, and the primary key is always `id`.",
            column.name
        );
        return Err(node.fault(
            problem,
            "Mark `id` instead, and write `unique: true` here if values must not repeat.",
        ));
    }
    Ok(())
}

fn types(node: &Node, name: &str) -> Result<(LogicalType, PhysicalType), Fault> {
    let logical = match node.get("logicalType") {
        None => None,
        Some(at) => Some(
            LogicalType::parse(at.text("`logicalType`")?).ok_or_else(|| {
                at.fault(
                    format!("Column `{name}` has a logical type the engine does not hold."),
                    "Use string, date, timestamp, number, integer, object, array or boolean.",
                )
            })?,
        ),
    };
    let Some(at) = node.get("physicalType") else {
        let logical = logical.ok_or_else(|| {
            node.fault(
                format!("Column `{name}` has no type."),
                "Write `logicalType:` and `physicalType:`.",
            )
        })?;
        return Ok((logical, logical.default_physical()));
    };
    let word = at.text("`physicalType`")?;
    let physical = PhysicalType::parse(word).ok_or_else(|| {
        at.fault(
            format!("`{word}` is not a type a column can have."),
            format!("Use one of: {}.", PhysicalType::ALLOWED),
        )
    })?;
    let logical = logical.unwrap_or_else(|| physical.default_logical());
    if !logical.admits(physical) {
        let problem = format!(
            "Column `{name}` cannot be stored as `{physical}`: its logical type says otherwise."
        );
        return Err(at.fault(
            problem,
            format!(
                "Write `physicalType: {}`, or correct `logicalType`.",
                logical.default_physical()
            ),
        ));
    }
    Ok((logical, physical))
}

fn identifier(node: &Node, what: &str, name: &str) -> Result<(), Fault> {
    if is_identifier(name) {
        return Ok(());
    }
    Err(node.fault(
        format!("`{name}` cannot be the name of a {what}."),
        "Use lower-case letters, digits and underscores, beginning with a letter, at most 63 characters.",
    ))
}

/// Whether a name is on the allow-list of SQL identifiers: `^[a-z][a-z0-9_]{0,62}$`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
