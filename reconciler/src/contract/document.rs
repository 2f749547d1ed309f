//! Parses a contract: one table, its columns and their constraints.

use super::audit_columns::is_audit;
use super::column::{Column, LogicalType, PhysicalType};
use super::error::ContractError;
use super::node::{Fault, Node};
use super::{quality, vocabulary};
use serde_norway::Value;

/// A contract: the schema and the checks of one production table.
#[derive(Debug, Clone)]
pub struct Contract {
    /// The table, which is also the name of the entity.
    pub entity: String,
    /// The file the contract was read from, for messages.
    pub file: String,
    /// The contract's own version.
    pub version: String,
    /// A description of a row; becomes the table's comment.
    pub description: Option<String>,
    /// The columns in the order of the document; `id` is among them.
    pub columns: Vec<Column>,
    /// Checks of the document that no single record can prove, one sentence each.
    pub unenforced: Vec<String>,
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

    /// The combined contract of a table that several modules fill. It has all their columns. A column is
    /// required only if every contract requires it, so that one module's rows are not rejected for the lack
    /// of another module's columns.
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
    if is_audit(name) {
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

/// Whether a name is a valid SQL identifier: `^[a-z][a-z0-9_]{0,62}$`.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::contract::Check;

    /// A contract of a table `clients` with the given columns, written one per line as YAML flow mappings.
    pub(in crate::contract) fn contract(columns: &[&str]) -> Contract {
        Contract::parse("contract.yaml", &text(columns)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn text(columns: &[&str]) -> String {
        let columns: Vec<String> = columns
            .iter()
            .map(|column| format!("      - {column}\n"))
            .collect();
        format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: urn:concord:clients\nversion: \"1.0.0\"\nstatus: active\nschema:\n  - name: clients\n    description: People and institutions.\n    properties:\n      - {{ name: id, logicalType: string, primaryKey: true }}\n{}",
            columns.concat()
        )
    }

    #[test]
    fn a_full_contract_is_read() {
        let contract = contract(&[
            "{ name: email, logicalType: string, physicalType: varchar(120), required: true, unique: true, classification: personal, description: Where to write., examples: [a@example.org], tags: [pii], logicalTypeOptions: { pattern: '@', maxLength: 100, format: email } }",
            "{ name: humidity, logicalType: number, physicalType: 'numeric(5,2)', quality: [{ metric: invalidValues, mustBe: 0, arguments: { minimum: 0, maximum: 100 } }] }",
            "{ name: state, logicalType: string, quality: [{ type: library, metric: invalidValues, mustBe: 0, arguments: { validValues: [ACTIVE, null, CLOSED] } }, { metric: nullValues, mustBe: 0 }] }",
            "{ name: serial, physicalType: text, quality: [{ rule: duplicateValues, mustBe: 0 }, { metric: nullValues, mustBeLessThan: 5, unit: percent }, { type: sql, query: 'select 1', mustBe: 0 }] }",
            "{ name: source_created_at, logicalType: timestamp, customProperties: [{ property: anything, value: 1 }] }",
        ]);
        assert_eq!(
            (
                contract.entity.as_str(),
                contract.version.as_str(),
                contract.columns.len()
            ),
            ("clients", "1.0.0", 6)
        );
        let column = |name| contract.column(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(column("id").required && column("email").required && column("state").required);
        assert!(column("email").unique && column("serial").unique && !column("serial").required);
        assert_eq!(
            column("humidity").physical,
            PhysicalType::Numeric(Some((5, 2)))
        );
        assert_eq!(column("humidity").checks.len(), 2);
        assert!(
            matches!(&column("state").checks[0], Check::OneOf(words) if words == &["ACTIVE", "CLOSED"])
        );
        assert_eq!(
            column("source_created_at").physical,
            PhysicalType::Timestamptz
        );
        insta::assert_snapshot!(contract.unenforced.join("\n"));
    }

    #[test]
    fn errors_say_line_and_remedy() {
        let good = text(&["{ name: email, logicalType: string }"]);
        let with = |column: &str| text(&[column]);
        let faults = [
            good.replace("v3.1.0", "v2.2.2"),
            good.replace("kind: DataContract\n", ""),
            good.replace("DataContract", "Contract"),
            good.replace("status: active", "state: active"),
            good.replace("version: \"1.0.0\"", "version: 1"),
            good.replace("schema:", "schemas:"),
            good.replace("name: id,", "name: key,"),
            good.replace("primaryKey: true", "physicalType: bigint"),
            good.replace("- name: clients", "- name: Clients"),
            good.replace("schema:\n", "schema:\n  - name: others\n"),
            good.replace("    properties:", "   properties:"),
            with("{ name: email }"),
            with("{ name: email, logicaltype: string }"),
            with("{ name: email, zzz: 1 }"),
            with("{ name: 'drop table', logicalType: string }"),
            with("{ name: deleted_at, logicalType: timestamp }"),
            with("{ name: id, logicalType: string }"),
            with("{ name: email, logicalType: time }"),
            with("{ name: email, physicalType: json }"),
            with("{ name: email, logicalType: string, physicalType: integer }"),
            with("{ name: email, logicalType: string, required: yes please }"),
            with("{ name: email, logicalType: string, primaryKey: true }"),
            with("{ name: email, logicalType: string, logicalTypeOptions: { pattern: '(?=a)' } }"),
            with("{ name: email, logicalType: string, logicalTypeOptions: { patern: 'a' } }"),
            with("{ name: email, logicalType: integer, logicalTypeOptions: { minimum: many } }"),
            with(
                "{ name: email, logicalType: string, quality: [{ metric: invalidValues, mustBe: 0 }] }",
            ),
            with(
                "{ name: email, logicalType: string, quality: [{ metric: nullValues, mustbe: 0 }] }",
            ),
            "- 1".to_owned(),
            String::new(),
        ];
        let messages: Vec<String> = faults
            .iter()
            .map(|text| {
                Contract::parse("contract.yaml", text)
                    .err()
                    .map_or("it was read".to_owned(), |error| error.to_string())
            })
            .collect();
        insta::assert_snapshot!(messages.join("\n"));
    }

    #[test]
    fn contracts_of_one_table_unite() {
        let first = contract(&[
            "{ name: name, logicalType: string, required: true }",
            "{ name: email, logicalType: string, required: true }",
        ]);
        let second = contract(&[
            "{ name: name, logicalType: string, required: true }",
            "{ name: phone, logicalType: string, required: true }",
        ]);
        let union =
            Contract::union(&[first.clone(), second]).unwrap_or_else(|error| panic!("{error}"));
        let required: Vec<_> = union
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.required))
            .collect();
        assert_eq!(
            required,
            [
                ("id", true),
                ("name", true),
                ("email", false),
                ("phone", false)
            ]
        );
        let other = contract(&["{ name: name, logicalType: integer }"]);
        insta::assert_snapshot!(Contract::union(&[first, other]).map(drop).unwrap_err());
    }
}
