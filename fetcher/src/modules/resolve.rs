//! Fills in the defaults of `fetch` from the query, and rejects what cannot work.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use super::module_file::{ModuleSource, known_path, parse, require_selected};
use super::nested_spec::{nested_of, recheck_of};
use super::partition_spec::divide_of;
use super::path::Path;
use super::spec::{FetchFile, FetchSpec, Paging, PagingFile, Read, Style};
use crate::diagnostic::Diagnostic;
use crate::nearest::did_you_mean;
use crate::schema::document::QueryDocument;

pub(super) fn resolve(
    file: FetchFile,
    query: &str,
    files: &BTreeMap<String, Arc<str>>,
    place: &ModuleSource<'_>,
) -> Result<FetchSpec, Diagnostic> {
    let document = parse(query, &file.query, place)?;
    require_selected(&document, &file.connection, &["fetch", "connection"], place)?;
    let nodes = nodes_of(&document, &file.connection, file.nodes.as_ref());
    let record = file.connection.join(&nodes);
    require_selected(&document, &record, &["fetch", "nodes"], place)?;
    let below = document.paths_below(&record);
    for path in &file.id.0 {
        if !below.contains(&path.to_string()) {
            let known: Vec<&str> = below.iter().map(String::as_str).collect();
            return Err(place.fault(
                &["fetch", "id"],
                format!("the query does not select the id `{path}` below `{record}`"),
                did_you_mean(
                    &path.to_string(),
                    &known,
                    "Select it in the query, or correct `id`.",
                ),
            ));
        }
    }
    let paging = paging_of(&document, &file, place)?;
    require_variables(&document, &file, &paging, place)?;
    let total = match file.total {
        Some(path) => {
            require_selected(
                &document,
                &file.connection.join(&path),
                &["fetch", "total"],
                place,
            )?;
            Some(path)
        }
        // Where lists below `nodes` are flattened, the source does not count records.
        None if matches!(nodes.to_string().as_str(), "nodes" | "edges.node" | "items") => document
            .names_at(&file.connection)
            .contains("totalCount")
            .then(|| known_path("totalCount")),
        None => None,
    };
    if let Some(newest) = &file.newest_first {
        let path = file.connection.join(&nodes).join(&newest.at);
        require_selected(&document, &path, &["fetch", "newest_first", "at"], place)?;
    }
    let recheck = match file.recheck {
        Some(entry) => Some(recheck_of(entry, files, place)?),
        None => None,
    };
    let mut nested = Vec::new();
    for entry in file.nested {
        nested.push(nested_of(entry, files, place)?);
    }
    let mut spec = FetchSpec {
        query_file: file.query,
        connection: file.connection,
        nodes,
        id: file.id,
        read: file.read,
        paging,
        total,
        variables: file.variables,
        since: file.since,
        window: file.window,
        newest_first: file.newest_first,
        divide: None,
        full_every: file.full_every,
        recheck,
        absences: file.absences.unwrap_or(NonZero::<u16>::MIN),
        nested,
    };
    if let Some(entry) = file.divide {
        spec.divide = Some(divide_of(entry, &document, &spec, place)?);
    }
    Ok(spec)
}

/// `nodes` if the query selects it, else `edges.node`, else the connection itself.
fn nodes_of(document: &QueryDocument, connection: &Path, written: Option<&Path>) -> Path {
    if let Some(path) = written {
        return path.clone();
    }
    let names = document.names_at(connection);
    let default = match () {
        () if names.contains("nodes") => "nodes",
        () if names.contains("edges") => "edges.node",
        () => "",
    };
    Path::parse(default).unwrap_or_default()
}

fn paging_of(
    document: &QueryDocument,
    file: &FetchFile,
    place: &ModuleSource<'_>,
) -> Result<Paging, Diagnostic> {
    let PagingFile {
        style,
        size,
        size_variable,
        cursor,
        more,
        first_page,
        ..
    } = &file.paging;
    let page_info = document.names_at(&file.connection).contains("pageInfo");
    let style = style.unwrap_or(if page_info { Style::Relay } else { Style::List });
    let written = &file.paging;
    let (position, size_name) = match style {
        Style::Relay => (
            written.cursor_variable.as_deref().unwrap_or("after"),
            "first",
        ),
        Style::Offset => (
            written.offset_variable.as_deref().unwrap_or("offset"),
            "limit",
        ),
        Style::Page => (written.page_variable.as_deref().unwrap_or("page"), "limit"),
        Style::List => ("", "limit"),
    };
    let declared = document.variables();
    require_paging_variables(&declared, style, position, size_variable.as_deref(), place)?;
    let size_name = size_variable.as_deref().unwrap_or(size_name);
    let cursor_path = cursor
        .clone()
        .unwrap_or_else(|| known_path("pageInfo.endCursor"));
    let more_path = match (more, cursor) {
        (Some(path), _) => Some(path.clone()),
        (None, Some(_)) => None,
        (None, None) => Some(known_path("pageInfo.hasNextPage")),
    };
    if style == Style::Relay {
        for path in [Some(&cursor_path), more_path.as_ref()]
            .into_iter()
            .flatten()
        {
            let full = file.connection.join(path);
            require_selected(document, &full, &["fetch", "connection"], place)?;
        }
    }
    Ok(Paging {
        style,
        size: size.unwrap_or(100).max(1),
        size_variable: declared.contains(&size_name).then(|| size_name.to_owned()),
        position_variable: position.to_owned(),
        first_page: first_page.unwrap_or(1),
        cursor: cursor_path,
        more: more_path,
    })
}

/// Checks that the query declares the variables for the next page's position and for the page size.
fn require_paging_variables(
    declared: &[&str],
    style: Style,
    position: &str,
    size_variable: Option<&str>,
    place: &ModuleSource<'_>,
) -> Result<(), Diagnostic> {
    if style != Style::List && !declared.contains(&position) {
        return Err(place.fault(
            &["fetch", "paging"],
            format!("the query does not declare `${position}`, so only its first page could be read"),
            format!("Declare `${position}` in the query and pass it to the field, or name the right variable in `paging`."),
        ));
    }
    if let Some(name) = size_variable
        && !declared.contains(&name)
    {
        return Err(place.fault(
            &["fetch", "paging", "size_variable"],
            format!("the query does not declare `${name}`"),
            did_you_mean(
                name,
                declared,
                "Declare it in the query, or leave `size_variable` out.",
            ),
        ));
    }
    Ok(())
}

/// Checks that every variable with a value is declared, and that every required one has a value.
fn require_variables(
    document: &QueryDocument,
    file: &FetchFile,
    paging: &Paging,
    place: &ModuleSource<'_>,
) -> Result<(), Diagnostic> {
    let declared = document.variables();
    let since = file.since.as_ref().map(|since| since.variable.as_str());
    let until = file.since.as_ref().and_then(|since| since.until.as_deref());
    let window = file.window.iter();
    let window = window.flat_map(|window| [window.variable.as_str(), window.until.as_str()]);
    let given = file.variables.keys().map(String::as_str);
    for name in given.chain(since).chain(until).chain(window) {
        if !declared.contains(&name) {
            return Err(place.fault(
                &["fetch", name],
                format!("`{name}` is given a value, but the query does not declare `${name}`"),
                did_you_mean(
                    name,
                    &declared,
                    "Declare it in the query, or remove it here.",
                ),
            ));
        }
    }
    let (stands, block) = match file.read {
        Read::Full => (true, ""),
        Read::Since => (since.is_some(), "since: { variable: …, column: … }"),
        Read::Window => (file.window.is_some(), "window: { variable: …, until: … }"),
        Read::NewestFirst => (
            file.newest_first.is_some(),
            "newest_first: { at: …, column: … }",
        ),
    };
    if !stands {
        let name = file.read.as_str();
        return Err(place.fault(
            &["fetch", "read"],
            format!("`read: {name}` needs a `{name}` block"),
            format!("Add `{block}`, or write `read: full`."),
        ));
    }
    for name in document.required_variables() {
        let given = file.variables.contains_key(name)
            || paging.size_variable.as_deref() == Some(name)
            || since == Some(name)
            || (paging.position_variable == name
                && matches!(paging.style, Style::Offset | Style::Page));
        if !given {
            return Err(place.fault(
                &["fetch"],
                format!("the query requires `${name}`, and nothing gives it a value"),
                format!("Add `{name}:` under `fetch.variables`, or make it optional in the query."),
            ));
        }
    }
    Ok(())
}
