//! The fence of tables: one folder writes a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{no_faults, texts};

/// Schemas whose tables have one writer.
const SCHEMAS: [&str; 4] = ["prod", "history", "ops", "staging"];

/// Tables that several folders write today. The list can only get shorter.
const SEVERAL_WRITERS: [(&str, &[&str]); 3] = [
    ("ops.problems", &["scripts", "staging"]),
    ("ops.runs", &["scripts", "staging"]),
    ("staging.pending", &["reconciler", "staging"]),
];

#[test]
fn one_folder_writes_a_table() {
    let mut writers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in texts().iter().filter(|file| file.is_rust()) {
        let folder = file.path.split('/').next().unwrap_or_default();
        if folder != "tests" {
            for table in written_tables(file.product()) {
                writers.entry(table).or_default().insert(folder.to_owned());
            }
        }
    }
    assert!(
        writers.contains_key("staging.records"),
        "the statements are no longer found: {writers:?}"
    );
    let mut faults = Vec::new();
    for (table, folders) in &writers {
        let allowed = SEVERAL_WRITERS.iter().find(|(name, _)| name == table);
        let allowed: BTreeSet<String> = allowed
            .iter()
            .flat_map(|(_, folders)| folders.iter().map(|folder| (*folder).to_owned()))
            .collect();
        if folders.len() > 1 && !folders.is_subset(&allowed) {
            faults.push(format!("{table} is written in {folders:?}"));
        }
        if allowed.len() > 1 && *folders != allowed {
            faults.push(format!(
                "SEVERAL_WRITERS: {table} is written in {folders:?} only"
            ));
        }
    }
    no_faults(faults, "Call the folder that owns the table:");
}

/// The tables that SQL in this code writes.
fn written_tables(code: &str) -> Vec<String> {
    let words: Vec<String> = code
        .split(|c: char| c.is_whitespace() || "\"(;".contains(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let mut tables = Vec::new();
    for at in 0..words.len() {
        let next = |ahead: usize| words.get(at + ahead).map_or("", String::as_str);
        let target = match (words[at].as_str(), next(1)) {
            ("insert", "into") | ("delete", "from") => next(2),
            ("update", target) => target,
            _ => continue,
        };
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let table: String = target.chars().take_while(|c| name(*c)).collect();
        if let Some((schema, name)) = table.split_once('.')
            && SCHEMAS.contains(&schema)
            && !name.is_empty()
        {
            tables.push(table);
        }
    }
    tables
}

#[test]
fn written_tables_are_found_across_lines_and_reads_are_not() {
    let cases = [
        (
            "\"insert into ops.runs (module) values ($1)\"",
            &["ops.runs"][..],
        ),
        (
            "\"DELETE FROM\n    staging.pages where true\"",
            &["staging.pages"],
        ),
        (
            "\"update prod.clients c set name = null\"",
            &["prod.clients"],
        ),
        ("\"select * from ops.runs for update\"", &[]),
        ("\"insert into prod.{table} select 1\"", &[]),
    ];
    for (code, expected) in cases {
        assert_eq!(written_tables(code), expected, "{code}");
    }
}
