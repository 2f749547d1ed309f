//! What every dialect must show: its modules are sound, a preview shows records, every row lands, and a
//! second run writes nothing.

use serde_json::Value;

use super::server::Server;
use crate::folder_sources::programs::{Workplace, assert_nothing_written, told};

/// Shows it for a dialect's modules, parents first, each with its number of records.
pub async fn lands(dialect: &str, server: &Server, modules: &[(&str, usize)]) -> Workplace {
    let folder = format!("tests/fixtures/dialects/{dialect}");
    let place = Workplace::open(dialect, &server.endpoint, &[&folder]).await;
    for (module, _) in modules {
        let checked = place.concord(&["module", "check", module]).await;
        assert_eq!(checked.code, 0, "{checked:#?}");
        let compared = format!("compared with the source `{dialect}`");
        assert!(checked.stdout.contains(&compared), "{checked:#?}");
        let previewed = place
            .concord(&["module", "preview", module, "--json"])
            .await;
        assert_eq!(previewed.code, 0, "{previewed:#?}");
        let records: Vec<Value> = serde_json::from_str(&previewed.stdout).unwrap();
        assert_eq!(records.len(), 10, "{module}");
        for record in &records {
            assert_eq!(record["rejection"], Value::Null, "{record:#}");
            assert_eq!(record["row"]["id"], record["source_id"], "{record:#}");
        }
    }
    let (code, lines) = place.sync().await;
    let expected: Vec<String> = modules
        .iter()
        .map(|(module, rows)| {
            format!("{module}: OK {rows} new, {rows} inserted, 0 updated, 0 deleted")
        })
        .collect();
    assert_eq!((code, told(&lines)), (0, expected), "{lines:#?}");
    assert_nothing_written(&place.sync().await);
    place
}
