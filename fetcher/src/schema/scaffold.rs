//! Writes the first version of a module folder from a source's schema.

use std::collections::BTreeMap;
use std::fmt::Write;

use apollo_compiler::Schema;
use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::ExtendedType;

use super::sdl::Sdl;
use super::stream_field::{Stream, streams};

/// Why no module can be written from a schema.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// The schema itself does not hold together.
    #[error(
        "the source's schema is not valid: {problem}. Ask whoever runs the source, or write the folder by hand."
    )]
    Schema {
        /// The first fault.
        problem: String,
    },
    /// No list of records resembles the name.
    #[error(
        "the source has no list of records that resembles `{name}`. {}",
        candidates(known)
    )]
    NoStream {
        /// The name asked for.
        name: String,
        /// What the source has, nearest first.
        known: Vec<String>,
    },
}

fn candidates(known: &[String]) -> String {
    match known {
        [] => "Its schema holds no list of objects at all; write the folder by hand.".to_owned(),
        _ => format!("Name one of: {}.", known.join(", ")),
    }
}

/// Writes `module.yaml`, `query.graphql` and `contract.yaml` for the list of records whose field
/// resembles `name`; answers file name and text.
pub fn scaffold(
    name: &str,
    source: &str,
    sdl: &Sdl,
) -> Result<BTreeMap<String, String>, ScaffoldError> {
    let schema =
        Schema::parse(&sdl.0, "schema.graphql").map_err(|broken| ScaffoldError::Schema {
            problem: broken
                .errors
                .iter()
                .next()
                .map(|e| e.error.to_string())
                .unwrap_or_default(),
        })?;
    let mut all = streams(&schema);
    all.sort_by(|a, b| b.likeness(name).total_cmp(&a.likeness(name)));
    let known = all
        .iter()
        .take(8)
        .map(|stream| stream.field.clone())
        .collect();
    let stream = match all.into_iter().next() {
        Some(best) if best.likeness(name) >= 0.75 => best,
        _ => {
            return Err(ScaffoldError::NoStream {
                name: name.to_owned(),
                known,
            });
        }
    };
    let fields = leaf_fields(&schema, &stream.record);
    let Some(id) = id_of(&fields) else {
        return Err(ScaffoldError::NoStream {
            name: name.to_owned(),
            known,
        });
    };
    Ok(BTreeMap::from([
        (
            "module.yaml".to_owned(),
            module_yaml(name, source, &schema, &stream, &fields, &id),
        ),
        ("query.graphql".to_owned(), query(name, &stream, &fields)),
        (
            "contract.yaml".to_owned(),
            contract(name, source, &schema, &stream, &fields, &id),
        ),
    ]))
}

/// The record's fields that hold a value and need no argument.
fn leaf_fields<'s>(schema: &'s Schema, record: &str) -> Vec<&'s FieldDefinition> {
    let fields = match schema.types.get(record) {
        Some(ExtendedType::Object(object)) => &object.fields,
        Some(ExtendedType::Interface(interface)) => &interface.fields,
        _ => return Vec::new(),
    };
    let is_leaf = |field: &FieldDefinition| {
        let of = schema.types.get(field.ty.inner_named_type());
        let required = field
            .arguments
            .iter()
            .any(|argument| argument.is_required());
        of.is_some_and(ExtendedType::is_leaf) && !required
    };
    fields
        .values()
        .map(|field| &***field)
        .filter(|field| is_leaf(field))
        .collect()
}

/// `id`, a key column, or the first field of type `ID`.
fn id_of(fields: &[&FieldDefinition]) -> Option<String> {
    let named = |name: &str| fields.iter().find(|field| field.name == name);
    let key = named("rowId")
        .or_else(|| named("id"))
        .or_else(|| named("uuid"));
    let typed = || {
        fields
            .iter()
            .find(|field| field.ty.inner_named_type() == "ID")
    };
    let ends = || {
        fields
            .iter()
            .find(|field| field.name.ends_with("Id") || field.name == "key")
    };
    key.or_else(typed)
        .or_else(ends)
        .map(|field| field.name.to_string())
}

fn query(name: &str, stream: &Stream, fields: &[&FieldDefinition]) -> String {
    let title: String = name.split('_').map(capital).collect();
    let declared: Vec<String> = stream
        .arguments
        .iter()
        .map(|argument| format!("${}: {}", argument.0, argument.1))
        .collect();
    let passed: Vec<String> = stream
        .arguments
        .iter()
        .map(|argument| format!("{0}: ${0}", argument.0))
        .collect();
    let within = |list: Vec<String>| {
        if list.is_empty() {
            String::new()
        } else {
            format!("({})", list.join(", "))
        }
    };
    let mut out = format!(
        "query {title}{} {{\n  {}{} {{\n",
        within(declared),
        stream.field,
        within(passed)
    );
    let mut depth = 2;
    for segment in &stream.nodes {
        let _ = writeln!(out, "{}{segment} {{", "  ".repeat(depth));
        depth += 1;
    }
    for field in fields {
        let _ = writeln!(out, "{}{}", "  ".repeat(depth), field.name);
    }
    for _ in &stream.nodes {
        depth -= 1;
        let _ = writeln!(out, "{}}}", "  ".repeat(depth));
    }
    if stream.page_info {
        out.push_str("    pageInfo {\n      hasNextPage\n      endCursor\n    }\n");
    }
    if let Some(total) = &stream.total {
        let _ = writeln!(out, "    {total}");
    }
    out.push_str("  }\n}\n");
    out
}

fn module_yaml(
    name: &str,
    source: &str,
    schema: &Schema,
    stream: &Stream,
    fields: &[&FieldDefinition],
    id: &str,
) -> String {
    let mut out = format!(
        "module: {name}\nsource: {source}\nfetch:\n  connection: {}\n  id: .{id}\n  read: full\n",
        stream.field
    );
    if !stream.nodes.is_empty() {
        let _ = writeln!(out, "  nodes: {}", stream.nodes.join("."));
    }
    if let Some(total) = stream.total.as_ref().filter(|total| *total != "totalCount") {
        let _ = writeln!(out, "  total: {total}");
    }
    let _ = writeln!(out, "  paging: {{ {} }}", stream.paging);
    out.push_str("reconcile:\n  transform: map\n  map:\n");
    for field in fields.iter().filter(|field| field.name != id) {
        let _ = writeln!(
            out,
            "    {}: {}",
            column(&field.name),
            expression(schema, field)
        );
    }
    if fields.iter().all(|field| field.name == id) {
        out.push_str("    {}\n");
    }
    out
}

fn contract(
    name: &str,
    source: &str,
    schema: &Schema,
    stream: &Stream,
    fields: &[&FieldDefinition],
    id: &str,
) -> String {
    let mut out = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: urn:concord:{source}:{name}\nname: {name}\nversion: 1.0.0\nstatus: draft\n\
         description:\n  purpose: \"What `{}` of {source} holds; say here what it is for.\"\n\
         schema:\n  - name: {name}\n    physicalType: table\n    description: \"One row per {} of {source}.\"\n    properties:\n",
        stream.field, stream.record
    );
    out.push_str(
        "      - name: id\n        logicalType: string\n        physicalType: text\n        primaryKey: true\n        required: true\n        \
         description: \"The source's own id, as received.\"\n",
    );
    for field in fields.iter().filter(|field| field.name != id) {
        let (logical, physical) = types_of(schema, field);
        let described = field
            .description
            .as_deref()
            .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
        let described = described.filter(|text| !text.is_empty());
        let text = described.unwrap_or_else(|| format!("`{}` as the source sends it.", field.name));
        let _ = writeln!(
            out,
            "      - name: {}\n        logicalType: {logical}\n        physicalType: {physical}",
            column(&field.name)
        );
        // JSON strings are YAML strings.
        let _ = writeln!(
            out,
            "        description: {}",
            serde_json::Value::from(text)
        );
    }
    out
}

/// The jq expression of a column. Scalars of a server's own often write numbers as text, to keep their
/// digits.
fn expression(schema: &Schema, field: &FieldDefinition) -> String {
    let own = !matches!(field.ty.inner_named_type().as_str(), "Int" | "Float");
    match types_of(schema, field).0 {
        "integer" | "number" if own => {
            format!(
                ".{} | if type == \"string\" then tonumber else . end",
                field.name
            )
        }
        "string" if is_reference_by_number(field) => {
            format!(".{} | if . == null then . else tostring end", field.name)
        }
        _ => format!(".{}", field.name),
    }
}

/// A number that names another record. Ids are text here, so that a reference can be declared on the column.
fn is_reference_by_number(field: &FieldDefinition) -> bool {
    let named = ["Id", "ID", "_id"]
        .iter()
        .any(|ending| field.name.ends_with(ending));
    let kind = field.ty.inner_named_type().to_lowercase();
    named && !field.ty.is_list() && matches!(kind.as_str(), "int" | "bigint" | "long")
}

/// Logical and physical type of a column; what is not plainly a number, a day or an instant stays text or
/// JSON.
fn types_of(schema: &Schema, field: &FieldDefinition) -> (&'static str, &'static str) {
    let inner = field.ty.inner_named_type().as_str();
    let text = inner == "String"
        || inner == "ID"
        || matches!(schema.types.get(inner), Some(ExtendedType::Enum(_)));
    if field.ty.is_list() {
        return if text {
            ("array", "text[]")
        } else {
            ("object", "jsonb")
        };
    }
    match inner.to_lowercase().as_str() {
        _ if text || is_reference_by_number(field) => ("string", "text"),
        "int" | "bigint" | "long" => ("integer", "bigint"),
        "float" | "bigfloat" | "decimal" | "numeric" => ("number", "numeric"),
        "boolean" => ("boolean", "boolean"),
        "json" | "jsonobject" | "i18nstring" | "jsonb" => ("object", "jsonb"),
        kind if kind.ends_with("datetime") || kind.starts_with("timestamp") => {
            ("timestamp", "timestamptz")
        }
        kind if kind.ends_with("date") => ("date", "date"),
        _ => ("string", "text"),
    }
}

/// Columns the engine keeps for itself take the prefix `source_`.
const RESERVED: [&str; 7] = [
    "id",
    "created_at",
    "updated_at",
    "synced_at",
    "deleted_at",
    "version",
    "is_placeholder",
];

/// The field's name in snake case.
fn column(field: &str) -> String {
    let mut name = String::new();
    let mut before_lower = false;
    for c in field.chars() {
        if c.is_ascii_uppercase() && before_lower {
            name.push('_');
        }
        before_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        name.push(c.to_ascii_lowercase());
    }
    let name = name.trim_start_matches('_').to_owned();
    match RESERVED.contains(&name.as_str()) {
        true => format!("source_{name}"),
        false => name,
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}
