//! Module folders for the tiny source of `lists`, written by a test.

use std::fmt::Write;
use std::path::Path;

/// A module that reads one list. Each column is filled from the field of the same name.
#[derive(Clone)]
pub struct ListModule {
    name: String,
    source: &'static str,
    table: String,
    id: &'static str,
    columns: Vec<(String, String)>,
    reconcile: String,
}

impl ListModule {
    /// Reads the list `name` into the table `name`; the columns are given as `name type`.
    pub fn new(name: &str, columns: &[&str]) -> ListModule {
        ListModule {
            name: name.to_owned(),
            source: "src",
            table: name.to_owned(),
            id: ".id",
            columns: columns
                .iter()
                .map(|column| {
                    let (name, kind) = column.split_once(' ').expect("a name and a type");
                    (name.to_owned(), kind.to_owned())
                })
                .collect(),
            reconcile: String::new(),
        }
    }

    /// Fills another table, which other modules may fill as well.
    pub fn table(mut self, table: &str) -> Self {
        self.table = table.to_owned();
        self
    }

    /// Belongs to another source than `src`.
    pub fn source(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// Takes its id from here: `.id`, or a list of paths.
    pub fn id(mut self, id: &'static str) -> Self {
        self.id = id;
        self
    }

    /// Another key of `reconcile:`, in one line.
    pub fn with(mut self, line: &str) -> Self {
        let _ = writeln!(self.reconcile, "  {line}");
        self
    }

    /// A column that refers to a module, and what becomes of a record whose parent is missing.
    pub fn refers(self, column: &str, to: &str, missing: &str) -> Self {
        self.with(&format!(
            "references: {{ {column}: {{ to: {to}, missing: {missing} }} }}"
        ))
    }

    /// Records with one e-mail address are one entity.
    pub fn matched_by_email(self) -> Self {
        self.with("match: { keys: [ { label: email, on: [email], normal: email } ] }")
    }

    /// Writes the three files below `folder`.
    pub fn write(&self, folder: &Path) {
        let folder = folder.join(&self.name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for (file, text) in [
            ("module.yaml", self.module_yaml()),
            ("query.graphql", self.query()),
            ("contract.yaml", self.contract()),
        ] {
            std::fs::write(folder.join(file), text).expect("a file");
        }
    }

    fn module_yaml(&self) -> String {
        let map: String = self.columns.iter().fold(String::new(), |text, (name, _)| {
            text + &format!("    {name}: .{name}\n")
        });
        let (name, source, id, reconcile) = (&self.name, self.source, self.id, &self.reconcile);
        format!(
            "module: {name}\nsource: {source}\nfetch:\n  connection: {name}\n  id: {id}\n  read: full\n\
             \x20 paging: {{ style: list }}\nreconcile:\n  transform: map\n  map:\n{map}{reconcile}"
        )
    }

    fn query(&self) -> String {
        let mut fields: Vec<&str> = self.id.split(|c: char| !c.is_alphanumeric()).collect();
        fields.extend(self.columns.iter().map(|(name, _)| name.as_str()));
        fields.retain(|field| !field.is_empty());
        format!("query All {{ {} {{ {} }} }}\n", self.name, fields.join(" "))
    }

    fn contract(&self) -> String {
        let mut columns = String::new();
        for (name, kind) in &self.columns {
            let (kind, unique) = match kind.strip_suffix(" unique") {
                Some(kind) => (kind, ", unique: true"),
                None => (kind.as_str(), ""),
            };
            let logical = logical_type(kind);
            let _ = writeln!(
                columns,
                "      - {{ name: {name}, logicalType: {logical}, physicalType: '{kind}'{unique} }}"
            );
        }
        let table = &self.table;
        format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: urn:test:{table}\nname: {table}\nversion: \"1.0.0\"\n\
             status: active\nschema:\n  - name: {table}\n    physicalType: table\n    properties:\n\
             \x20     - {{ name: id, logicalType: string, physicalType: text, primaryKey: true, required: true }}\n\
             {columns}"
        )
    }
}

fn logical_type(physical: &str) -> &'static str {
    match physical {
        "jsonb" => "object",
        "boolean" => "boolean",
        "date" => "date",
        "timestamptz" => "timestamp",
        "smallint" | "integer" | "bigint" => "integer",
        "text[]" => "array",
        kind if kind.starts_with("numeric") || kind.starts_with("double") => "number",
        _ => "string",
    }
}
