//! A developer's tools, through the real program: begin a module, check it, look at it, fetch it.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a `concord.toml` that points to a stand-in of its own.
struct Workshop {
    folder: TempDir,
    _source: standin::Running,
}

impl Workshop {
    async fn open() -> Self {
        let source = standin::serve(standin::Options::small())
            .await
            .expect("a stand-in");
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "[sources.gazelle]\nendpoint = \"{}\"\nauth = {{ kind = \"header\", name = \"x-gazelle-api-key\", secret_env = \"GAZELLE_API_KEY\" }}\nrate = {{ per_second = 1000, burst = 100 }}\n",
            source.urls.graphql
        );
        std::fs::write(folder.path().join("concord.toml"), config).expect("written");
        Self {
            folder,
            _source: source,
        }
    }

    /// The exit code and what was said, with the folder's own path taken out.
    fn concord(&self, arguments: &[&str]) -> (i32, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = concord(self.folder.path())
            .args(arguments)
            .env("GAZELLE_API_KEY", standin::API_KEY)
            .output()
            .expect("concord runs");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr)
        );
        (
            status.code().unwrap_or(-1),
            said.replace(&self.folder.path().display().to_string(), "DIR"),
        )
    }

    /// A fresh module `invoices` in `modules`.
    fn begin_invoices(&self) {
        let (code, said) = self.concord(&["module", "new", "invoices", "--source", "gazelle"]);
        assert_eq!(code, 0, "{said}");
    }

    /// Replaces one text by another in a file of the module, which must hold it.
    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join("modules/invoices").join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        assert!(
            text.contains(from),
            "{file} does not hold {from:?}:\n{text}"
        );
        std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
    }
}

/// The program, untouched by the configuration of whoever runs the tests.
fn concord(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_concord"));
    command
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .env_remove("RUST_LOG");
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CONCORD_"))
    {
        command.env_remove(name);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_begun_by_the_program_is_sound_at_once() {
    let workshop = Workshop::open().await;
    workshop.begin_invoices();
    let (code, said) = workshop.concord(&["module", "check", "modules/invoices"]);
    assert_eq!(
        (code, said.as_str()),
        (
            0,
            "invoices is sound; its query was compared with the source `gazelle`.\n"
        )
    );
    let (code, said) = workshop.concord(&["--modules", "modules", "module", "check", "invoices"]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = workshop.concord(&["module", "new", "invoices", "--source", "gazelle"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("is already there"), "{said}");
    let (code, said) = workshop.concord(&["module", "new", "invocies", "--source", "gazele"]);
    assert_eq!(
        (code, said.as_str()),
        (
            2,
            "./concord.toml has no source `gazele`. Did you mean `gazelle`?\n"
        )
    );
}

/// Label, the file that is edited, from what, to what.
const FAULTS: [(&str, &str, &str, &str); 16] = [
    (
        "unknown key of fetch",
        "module.yaml",
        "  read: full",
        "  raed: full",
    ),
    (
        "unknown key of reconcile",
        "module.yaml",
        "  transform: map",
        "  transform: map\n  transfrom: map",
    ),
    (
        "wrong type",
        "module.yaml",
        "  map:\n",
        "  rules: 7\n  map:\n",
    ),
    (
        "bad jq",
        "module.yaml",
        "status: .status",
        "status: '.status |'",
    ),
    (
        "unselected field",
        "module.yaml",
        "notes: .notes",
        "notes: .notse",
    ),
    ("query error", "query.graphql", "netDays", "netDayz"),
    (
        "query that cannot be read",
        "query.graphql",
        "pageInfo {",
        "pageInfo {{",
    ),
    (
        "column not in the contract",
        "module.yaml",
        "    status: .status",
        "    state: .status",
    ),
    (
        "required column without a mapping",
        "contract.yaml",
        "- name: number\n",
        "- name: series\n        logicalType: string\n        physicalType: text\n        required: true\n      - name: number\n",
    ),
    (
        "reference column not in the contract",
        "module.yaml",
        "reconcile:",
        "reconcile:\n  references: { client_id: { to: clients, missing: park } }",
    ),
    (
        "reference to a module that is not there",
        "module.yaml",
        "reconcile:",
        "reconcile:\n  references: { notes: { to: cleints, missing: park } }",
    ),
    (
        "ownership of a column not in the contract",
        "module.yaml",
        "reconcile:",
        "reconcile:\n  ownership: { note: local }",
    ),
    (
        "key over a column not in the contract",
        "module.yaml",
        "reconcile:",
        "reconcile:\n  match: { keys: [ { label: number, on: [nummer] } ] }",
    ),
    (
        "bad rule",
        "module.yaml",
        "reconcile:",
        "reconcile:\n  rules: [ { code: odd, when: '.total ~ 1', severity: warn, why: Odd. } ]",
    ),
    (
        "merged_into",
        "module.yaml",
        "reconcile:\n",
        "reconcile:\n  merged_into: .mergedInto |\n",
    ),
    (
        "type of the contract",
        "contract.yaml",
        "physicalType: bigint",
        "physicalType: bigit",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named_with_its_line_and_remedy() {
    let workshop = Workshop::open().await;
    let mut table = String::new();
    for (label, file, from, to) in FAULTS {
        // Files that are not there any more are written anew.
        let _ = std::fs::remove_dir_all(workshop.folder.path().join("modules"));
        workshop.begin_invoices();
        workshop.edit(file, from, to);
        let (code, said) = workshop.concord(&["module", "check", "modules/invoices"]);
        assert_eq!(code, 2, "{label}: {said}");
        table += &format!("{label}\n{said}\n");
    }
    insta::assert_snapshot!(table);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fault_does_not_hide_the_next() {
    let workshop = Workshop::open().await;
    workshop.begin_invoices();
    workshop.edit("module.yaml", "status: .status", "status: '.status |'");
    workshop.edit("module.yaml", "notes: .notes", "notes: .notse");
    workshop.edit("module.yaml", "total: .total", "totl: .total");
    workshop.edit("query.graphql", "netDays", "netDayz");
    let (code, said) = workshop.concord(&["--json", "module", "check", "modules/invoices"]);
    assert_eq!(code, 2, "{said}");
    let checked: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    let lines: Vec<(&str, u64)> = checked["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| {
            (
                fault["file"].as_str().unwrap_or_default(),
                fault["line"].as_u64().unwrap_or_default(),
            )
        })
        .collect();
    let in_module = |line| ("modules/invoices/module.yaml", line);
    // The field that the query misspells is both a fault of the query and missing for its column.
    assert_eq!(
        lines,
        [
            in_module(13),
            in_module(17),
            in_module(18),
            in_module(25),
            ("modules/invoices/query.graphql", 10)
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_source_a_query_is_held_against_the_schema_at_hand() {
    let workshop = Workshop::open().await;
    let (code, said) =
        workshop.concord(&["source", "introspect", "gazelle", "--out", "schema.graphql"]);
    assert_eq!(code, 0, "{said}");
    workshop.begin_invoices();
    std::fs::write(workshop.folder.path().join("concord.toml"), "").expect("written");
    let (code, said) = workshop.concord(&["module", "check", "modules/invoices"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("compared with no schema") && said.contains("not configured"),
        "{said}"
    );
    workshop.edit("query.graphql", "netDays", "netDayz");
    workshop.edit(
        "module.yaml",
        "net_days: .netDays\n",
        "net_days: .netDayz\n",
    );
    let (code, said) = workshop.concord(&[
        "module",
        "check",
        "modules/invoices",
        "--source-schema",
        "schema.graphql",
    ]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("query.graphql:10:") && said.contains("Did you mean `netDays`?"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_and_fetching_need_no_database() {
    let workshop = Workshop::open().await;
    workshop.begin_invoices();
    workshop.edit("contract.yaml", "- name: status\n        logicalType: string\n        physicalType: text\n", "- name: status\n        logicalType: string\n        physicalType: text\n        logicalTypeOptions: { maxLength: 1 }\n");
    let (code, said) = workshop.concord(&["--json", "module", "preview", "modules/invoices"]);
    assert_eq!(code, 0, "{said}");
    let shown: Vec<serde_json::Value> = serde_json::from_str(&said).expect("JSON");
    assert_eq!(shown.len(), 10);
    assert!(
        shown
            .iter()
            .all(|record| record["row"].is_null() && record["rejection"]["at"] == "status"),
        "{said}"
    );
    let (code, said) = workshop.concord(&["fetch", "clients", "--out", "clients.jsonl"]);
    assert_eq!(
        (code, said.as_str()),
        (0, "40 records of clients on 1 pages.\n")
    );
    let lines =
        std::fs::read_to_string(workshop.folder.path().join("clients.jsonl")).expect("the records");
    assert_eq!(
        lines
            .lines()
            .filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
            .count(),
        40
    );
    assert!(!workshop.folder.path().join("concord-data").exists());
}
