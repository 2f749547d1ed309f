//! Finds the fields of a schema that answer with many records, and how they page.

use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, OperationType, Type};
use apollo_compiler::schema::ExtendedType;

/// A query field that answers with many records.
#[derive(Debug)]
pub(super) struct Stream {
    pub field: String,
    /// The record's type.
    pub record: String,
    /// From the field to its records.
    pub nodes: Vec<String>,
    /// Paging arguments with their types.
    pub arguments: Vec<(String, String)>,
    /// The inside of `paging: { … }`.
    pub paging: String,
    pub page_info: bool,
    pub total: Option<String>,
}

impl Stream {
    /// How much the field's name resembles a module's name, from 0 to 1.
    pub(super) fn likeness(&self, name: &str) -> f64 {
        let (given, field) = (plain(name), plain(&self.field));
        let by_record = strsim::normalized_damerau_levenshtein(&given, &plain(&self.record));
        strsim::normalized_damerau_levenshtein(&given, &field).max(by_record * 0.95)
            + if self.page_info { 0.01 } else { 0.0 }
    }
}

/// A name without case, joints, a leading `all`, or a plural ending.
fn plain(name: &str) -> String {
    let flat: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let flat = flat.to_lowercase();
    let flat = ["all", "list", "get"]
        .iter()
        .find_map(|word| flat.strip_prefix(word))
        .unwrap_or(&flat);
    let flat = ["connection", "batched", "list"]
        .iter()
        .find_map(|word| flat.strip_suffix(word))
        .unwrap_or(flat);
    match (flat.strip_suffix("ies"), flat.strip_suffix('s')) {
        (Some(stem), _) => format!("{stem}y"),
        (None, Some(stem)) => stem.to_owned(),
        (None, None) => flat.to_owned(),
    }
}

/// Every stream of the schema's query type that requires no other arguments than paging.
pub(super) fn streams(schema: &Schema) -> Vec<Stream> {
    let Some(query) = schema
        .root_operation(OperationType::Query)
        .and_then(|name| schema.get_object(name))
    else {
        return Vec::new();
    };
    query
        .fields
        .values()
        .filter_map(|field| stream_of(schema, field))
        .collect()
}

fn stream_of(schema: &Schema, field: &FieldDefinition) -> Option<Stream> {
    let (nodes, record) = records_below(schema, &field.ty)?;
    let wrapper = schema
        .get_object(field.ty.inner_named_type())
        .filter(|_| !field.ty.is_list());
    let has = |name: &str| wrapper.is_some_and(|object| object.fields.contains_key(name));
    let argument = |names: &[&str]| {
        let found = names
            .iter()
            .find_map(|name| field.arguments.iter().find(|a| a.name == *name));
        found.map(|found| (found.name.to_string(), found.ty.to_string()))
    };
    let page_info = has("pageInfo") && argument(&["after"]).is_some();
    let size = argument(&["first", "limit", "take", "perPage", "per_page", "pageSize"]);
    let after = argument(&["after"]).filter(|_| page_info);
    let offset = argument(&["offset", "skip"]);
    let page = argument(&["page", "pageNumber"]);
    let (paging, position) = match (after, offset, page) {
        (Some(after), _, _) => ("style: relay".to_owned(), Some(after)),
        (_, Some(offset), _) => (
            format!("style: offset, offset_variable: {}", offset.0),
            Some(offset),
        ),
        (_, _, Some(page)) => (
            format!("style: page, page_variable: {}", page.0),
            Some(page),
        ),
        _ => ("style: list".to_owned(), None),
    };
    let sized = size.filter(|_| position.is_some());
    let paging = match &sized {
        Some((name, _)) => format!("{paging}, size: 100, size_variable: {name}"),
        None => paging,
    };
    let arguments: Vec<_> = sized.into_iter().chain(position).collect();
    let given = |name: &str| arguments.iter().any(|(argument, _)| argument == name);
    if field
        .arguments
        .iter()
        .any(|argument| argument.is_required() && !given(&argument.name))
    {
        return None;
    }
    let total = ["totalCount", "total", "count"]
        .into_iter()
        .find(|name| has(name))
        .map(str::to_owned);
    Some(Stream {
        field: field.name.to_string(),
        record,
        nodes,
        arguments,
        paging,
        page_info,
        total,
    })
}

/// The path from a field to its records: `nodes`, `edges.node`, the one list in a wrapper, or the list
/// itself.
fn records_below(schema: &Schema, of: &Type) -> Option<(Vec<String>, String)> {
    let is_record = |of: &Type| {
        matches!(
            schema.types.get(of.inner_named_type()),
            Some(ExtendedType::Object(_) | ExtendedType::Interface(_))
        )
    };
    if of.is_list() {
        return is_record(of).then(|| (Vec::new(), of.inner_named_type().to_string()));
    }
    let object = schema.get_object(of.inner_named_type())?;
    let list = |name: &str| {
        object
            .fields
            .get(name)
            .filter(|field| field.ty.is_list() && is_record(&field.ty))
    };
    for name in ["nodes", "items", "results", "data"] {
        if let Some(field) = list(name) {
            return Some((
                vec![name.to_owned()],
                field.ty.inner_named_type().to_string(),
            ));
        }
    }
    let edge = schema.get_object(list("edges")?.ty.inner_named_type())?;
    let node = edge
        .fields
        .get("node")
        .filter(|field| is_record(&field.ty))?;
    Some((
        vec!["edges".to_owned(), "node".to_owned()],
        node.ty.inner_named_type().to_string(),
    ))
}
