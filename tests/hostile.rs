//! Hostile text in every field of a record: it lands as it came, and is inert wherever it is shown.

use serde_json::json;

use crate::world::World;

/// A script, a formula, letters that steer a terminal and one that turns the direction of a line.
const HOSTILE: &str =
    "=cmd|'/C calc'!A0 <script>alert(1)</script> \u{1b}[31m\u{7} \u{202e}dlrow javascript:alert(1)";

/// The fields of a client and of its contact that are texts.
const FIELDS: [&str; 13] = [
    "companyName",
    "status",
    "clientType",
    "personalNotes",
    "preferenceNotes",
    "referenceId",
    "referredBy",
    "region",
    "defaultContact.firstName",
    "defaultContact.lastName",
    "defaultContact.defaultEmail.email",
    "defaultContact.defaultPhone.phoneNumber",
    "defaultContact.defaultLocation.municipality",
];

#[tokio::test]
async fn hostile_text_in_every_field_is_inert_wherever_it_is_shown() {
    let world = World::small().await;
    let nodes = world.source.every("allClients", "id").await;
    let ids: Vec<&str> = nodes
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    for (field, id) in FIELDS.iter().zip(&ids) {
        let value = json!({ (*field): HOSTILE });
        world
            .edit(json!({ "op": "patch", "kind": "client", "id": id, "value": value }))
            .await;
    }
    let value = json!({ "tags": [HOSTILE] });
    world
        .edit(json!({ "op": "patch", "kind": "client", "id": ids[FIELDS.len()], "value": value }))
        .await;
    let run = world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    let line = run.module("clients");
    assert_eq!(line["staged"]["fetched"], 40, "{line}");
    let kept = format!(
        "select count(*) from prod.clients where company_name = {}",
        quoted(HOSTILE)
    );
    assert_eq!(world.count(&kept).await, 1, "it landed as it came");

    let mut shown = vec![("run_sync".to_owned(), run.stdout + &run.stderr)];
    for id in &ids[..=FIELDS.len()] {
        let name = format!("clients/{id}");
        for arguments in [vec!["show", &name], vec!["show", &name, "--raw"]] {
            shown.push(told(&world, &arguments).await);
        }
    }
    for arguments in [
        &["status"][..],
        &["runs"],
        &["runs", "--run", "2"],
        &["log"],
        &["diff", "1", "2"],
        &["quarantine", "list"],
        &["parking", "list"],
        &["review", "list"],
        &["doctor", "--offline"],
    ] {
        shown.push(told(&world, arguments).await);
    }
    for (what, text) in &shown {
        assert!(
            !text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{what}: {text:?}"
        );
    }
    let served = world.serve().await;
    for path in [
        "/",
        "/?lang=fr",
        "/api/v1/health",
        "/api/v6/health",
        "/metrics",
    ] {
        let (_, page) = served.get(path).await;
        assert!(!page.contains("<script>alert"), "{path}: {page}");
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

async fn told(world: &World, arguments: &[&str]) -> (String, String) {
    let answer = world.concord(arguments).await;
    let label = arguments.join(" ");
    assert!(
        !answer.stderr.contains("panicked"),
        "{label}: {}",
        answer.stderr
    );
    (label, answer.stdout + &answer.stderr)
}
