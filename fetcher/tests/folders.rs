//! Module folders: what loads, what replaces what, and how a fault is told.

use std::path::PathBuf;

use fetcher::{Diagnostic, IdPath, Path, Style, load_modules};

use crate::source::{RELAY, write_folder};

#[test]
fn defaults_come_from_the_query() {
    let module = crate::source::relay();
    assert_eq!(module.fetch.nodes, Path::parse("nodes").unwrap());
    assert_eq!(module.fetch.id, IdPath(vec![Path::parse("id").unwrap()]));
    assert_eq!(module.fetch.paging.style, Style::Relay);
    assert_eq!(module.fetch.paging.size_variable.as_deref(), Some("first"));
    assert_eq!(module.fetch.total, Some(Path::parse("totalCount").unwrap()));
    let list = crate::source::module("  connection: users\n", "{ users { id } }", &[]);
    assert_eq!(
        (list.fetch.paging.style, list.fetch.nodes.is_empty()),
        (Style::List, true)
    );
}

#[test]
fn both_layouts_load_and_a_later_folder_replaces_by_name() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let yaml = |name: &str, source: &str| {
        format!(
            "module: {name}\nsource: {source}\nfetch: {{ connection: allClients }}\nreconcile: {{ anything: goes }}\n"
        )
    };
    write_folder(&one.path().join("probe_a"), &yaml("probe_a", "flat"), RELAY);
    write_folder(
        &one.path().join("deep/probe_b"),
        &yaml("probe_b", "deep"),
        RELAY,
    );
    std::fs::write(
        one.path().join("deep/schema.graphql"),
        "type Query { a: Int }",
    )
    .unwrap();
    write_folder(
        &two.path().join("probe_b"),
        &yaml("probe_b", "later"),
        RELAY,
    );
    let load = |dirs: &[PathBuf]| {
        let modules = load_modules(dirs).unwrap().into_iter();
        modules
            .filter(|module| module.name.starts_with("probe_"))
            .map(|module| (module.name, module.source, module.schema.is_some()))
            .collect::<Vec<_>>()
    };
    let (one, two) = (one.path().to_owned(), two.path().to_owned());
    let named = |name: &str, source: &str, schema| (name.to_owned(), source.to_owned(), schema);
    assert_eq!(
        load(std::slice::from_ref(&one)),
        [
            named("probe_a", "flat", false),
            named("probe_b", "deep", true)
        ]
    );
    assert_eq!(
        load(&[one, two]),
        [
            named("probe_a", "flat", false),
            named("probe_b", "later", false)
        ]
    );
    assert!(load(&[]).is_empty());
}

/// The fault of a folder with these files, without the changing part of its path.
fn fault(yaml: &str, query: &str) -> Diagnostic {
    let dir = tempfile::tempdir().unwrap();
    write_folder(&dir.path().join("clients"), yaml, query);
    let mut fault = load_modules(&[dir.path().to_owned()]).unwrap_err();
    fault.file = fault
        .file
        .replace(&dir.path().display().to_string(), "modules");
    fault
}

/// Label, `module.yaml`, query.
#[rustfmt::skip]
fn faults() -> Vec<(&'static str, String, &'static str)> {
    let start = "module: clients\nsource: demo\nfetch:\n";
    vec![
        (
            "unknown key",
            format!("{start}  conection: allClients\n"),
            RELAY,
        ),
        (
            "unknown key, far from any",
            format!("{start}  connection: allClients\n  zzzzzzzz: 1\n"),
            RELAY,
        ),
        (
            "unknown top key",
            format!("{start}  connection: allClients\nrecconcile: {{}}\n"),
            RELAY,
        ),
        ("missing connection", format!("{start}  id: .id\n"), RELAY),
        (
            "wrong type",
            format!("{start}  connection: allClients\n  paging: {{ size: many }}\n"),
            RELAY,
        ),
        (
            "unknown style",
            format!("{start}  connection: allClients\n  paging:\n    style: relais\n"),
            RELAY,
        ),
        (
            "bad path",
            format!("{start}  connection: allClients\n  id: .a..b\n"),
            RELAY,
        ),
        (
            "broken yaml",
            format!("{start}  connection: [allClients\n"),
            RELAY,
        ),
        (
            "bad duration",
            format!(
                "{start}  connection: allClients\n  since: {{ variable: after, column: at, overlap: long }}\n"
            ),
            RELAY,
        ),
        (
            "bad name",
            "module: Clients!\nsource: demo\nfetch:\n  connection: allClients\n".to_owned(),
            RELAY,
        ),
    ]
}

/// The same, of faults that only the query shows.
#[rustfmt::skip]
fn faults_beside_the_query() -> Vec<(&'static str, String, &'static str)> {
    let start = "module: clients\nsource: demo\nfetch:\n";
    vec![
        (
            "connection not selected",
            format!("{start}  connection: allClient\n"),
            RELAY,
        ),
        (
            "id not selected",
            format!("{start}  connection: allClients\n  id: .idd\n"),
            RELAY,
        ),
        (
            "nodes not selected",
            format!("{start}  connection: allClients\n  nodes: edges.node\n"),
            RELAY,
        ),
        (
            "cursor not declared",
            format!("{start}  connection: allClients\n  paging: {{ cursor_variable: afther }}\n"),
            RELAY,
        ),
        (
            "variable not declared",
            format!("{start}  connection: allClients\n  variables:\n    frist: 3\n"),
            RELAY,
        ),
        (
            "required variable not given",
            format!("{start}  connection: a\n"),
            "query Q($zone: String!) { a(zone: $zone) { id } }",
        ),
        (
            "since without a block",
            format!("{start}  connection: allClients\n  read: since\n"),
            RELAY,
        ),
        (
            "page info not selected",
            format!("{start}  connection: a\n"),
            "query Q($after: String) { a(after: $after) { nodes { id } pageInfo { endCursor } } }",
        ),
        (
            "nested query missing",
            format!(
                "{start}  connection: allClients\n  nested:\n    - {{ at: x, query: no.graphql, connection: y }}\n"
            ),
            RELAY,
        ),
        (
            "query does not parse",
            format!("{start}  connection: allClients\n"),
            "query Q {\n  a {\n",
        ),
        (
            "mutation",
            format!("{start}  connection: a\n"),
            "mutation { a { id } }",
        ),
        (
            "two operations",
            format!("{start}  connection: a\n"),
            "query A { a { id } } query B { a { id } }",
        ),
        (
            "missing query",
            format!("{start}  connection: a\n  query: other.graphql\n"),
            RELAY,
        ),
    ]
}

/// The same, of streams that cannot be divided so.
#[rustfmt::skip]
fn faults_of_a_division() -> Vec<(&'static str, String, &'static str)> {
    const RANGED: &str = "query Q($after: String, $from: Int, $to: Int) {
  rows(after: $after, from: $from, to: $to) { nodes { id at } pageInfo { hasNextPage endCursor } totalCount } }";
    const UNCOUNTED: &str = "query Q($after: String, $from: Int, $to: Int) {
  rows(after: $after, from: $from, to: $to) { nodes { id at } pageInfo { hasNextPage endCursor } } }";
    let of = |label, divide: &str, query| {
        let yaml = format!("module: clients\nsource: demo\nfetch:\n  connection: rows\n  divide:\n    {}\n", divide.replace(", ", "\n    "));
        (label, yaml, query)
    };
    let rest = "variable: from, until: to, as: number";
    vec![
        of("one part", &format!("into: 1, at: .at, from: 0, to: 9, {rest}"), RANGED),
        of("parts by what is not selected", &format!("into: 4, at: .ad, from: 0, to: 9, {rest}"), RANGED),
        of("parts without a count", &format!("into: 4, at: .at, from: 0, to: 9, {rest}"), UNCOUNTED),
        of("parts without variables", "into: 4, at: .at, from: 0, to: 9, as: number", RANGED),
        of("parts by variables not declared", "into: 4, at: .at, from: 0, to: 9, as: number, variable: form, until: to", RANGED),
        of("parts measured from nothing", &format!("into: 4, at: .at, from: soon, to: 9, {rest}"), RANGED),
        of("parts without an end", &format!("into: 4, at: .at, from: 0, {rest}"), RANGED),
        of("parts that end before they begin", &format!("into: 4, at: .at, from: 9, to: 0, {rest}"), RANGED),
        of("parts of an unknown kind", "into: 4, at: .at, from: 0, as: numbers", RANGED),
        of("parts of an unknown key", &format!("into: 4, at: .at, form: 0, {rest}"), RANGED),
    ]
}

#[test]
fn faults_name_the_line_and_the_remedy() {
    let mut cases = faults();
    cases.extend(faults_beside_the_query());
    cases.extend(faults_of_a_division());
    let told: Vec<String> = cases
        .iter()
        .map(|(label, yaml, query)| format!("{label}\n  {}", fault(yaml, query)))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_missing_folder_and_a_half_one_are_told() {
    let fault = load_modules(&[PathBuf::from("/nowhere/at/all")])
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("/nowhere/at/all") && fault.contains("--modules"),
        "{fault}"
    );
    let dir = tempfile::tempdir().unwrap();
    write_folder(
        &dir.path().join("clients"),
        "module: clients\nsource: demo\nfetch: { connection: allClients }\n",
        RELAY,
    );
    std::fs::remove_file(dir.path().join("clients/contract.yaml")).unwrap();
    let fault = load_modules(&[dir.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("contract.yaml: the file is missing"),
        "{fault}"
    );
    std::fs::remove_file(dir.path().join("clients/module.yaml")).unwrap();
    let fault = load_modules(&[dir.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        fault.contains("module.yaml: the file is missing"),
        "{fault}"
    );
}

#[test]
fn every_module_compiled_in_fits_its_schema() {
    for module in load_modules(&[]).unwrap() {
        let schema = module.schema.as_ref().expect("a schema beside the modules");
        let nested = module
            .fetch
            .nested
            .iter()
            .map(|nested| (&nested.file, &nested.query));
        for (file, query) in nested.chain([(&module.fetch.query_file, &module.query)]) {
            let file = format!("{}/{file}", module.folder.display());
            assert_eq!(fetcher::check_query(schema, query, &file), []);
        }
        assert!(
            fetcher::selection_paths(&module).len() > 1,
            "{}",
            module.name
        );
    }
}
