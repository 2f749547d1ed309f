//! Explanations, one record by itself, and files that are refused.

use serde_json::json;

use super::people::{client, records, world_with};
use crate::world::World;

#[tokio::test]
async fn why_match_explains_every_pair() {
    let world = world_with(records()).await;
    let cases = [
        (
            "joined by score",
            "clients/cli_typo",
            "clients/old-1",
            "match",
            true,
        ),
        (
            "a spouse",
            "clients/cli_spouse",
            "clients/old-2",
            "review",
            true,
        ),
        (
            "brought together by no key",
            "clients/cli_other",
            "clients/old-3",
            "no match",
            false,
        ),
        (
            "two rows",
            "clients/old-1",
            "clients/old-4",
            "no match",
            false,
        ),
    ];
    for (label, one, other, verdict, has_keys) in cases {
        let told = world
            .concord(&["why-match", one, other, "--json"])
            .await
            .expect(0)
            .json();
        assert_eq!(told["verdict"], verdict, "{label}: {told}");
        let explanation = &told["explanation"];
        let keys = explanation["keys"].as_array().expect("keys");
        assert_eq!(!keys.is_empty(), has_keys, "{label}: {told}");
        assert!(
            explanation["steps"].as_array().expect("steps").len() >= 3,
            "{label}: {told}"
        );
    }
    let text = world
        .concord(&["why-match", "clients/cli_typo", "clients/old-1"])
        .await
        .expect(0)
        .stdout;
    assert!(text.contains("is old-1 (scored, "), "{text}");
    assert!(text.contains("given name: same"), "{text}");
    let nobody = world
        .concord(&["why-match", "clients/cli_typo", "clients/none"])
        .await
        .expect(2);
    assert!(
        nobody.stderr.contains("neither a record nor a row"),
        "{}",
        nobody.stderr
    );
}

#[tokio::test]
async fn one_record_is_resolved_as_a_run_would_and_nothing_is_written() {
    let world = world_with(Vec::new()).await;
    let cases = [
        (
            json!({ "email": "INFO@emsc.example" }),
            "exact_key",
            "match",
        ),
        (
            json!({ "first_name": "Genevieve", "last_name": "Lachappelle", "phone": "5142718845", "postal_code": "H2H 2C7" }),
            "score",
            "match",
        ),
        (
            json!({ "first_name": "Simon", "last_name": "Desrosiers", "municipality": "Laval" }),
            "score",
            "review",
        ),
        (
            json!({ "first_name": "Bérénice", "last_name": "Quintal" }),
            "score",
            "no_match",
        ),
    ];
    // Keys are computed by the next run that has something to decide.
    world
        .edit(client("cli_any", "Aurélie", "Bastarache", json!({})))
        .await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let before = world.everything().await;
    for (record, by, decision) in cases {
        std::fs::write(world.folder().join("record.json"), record.to_string()).expect("a file");
        let arguments = [
            "matching",
            "resolve",
            "clients",
            "--record",
            "record.json",
            "--json",
        ];
        let found = world.concord(&arguments).await.expect(0).json();
        assert_eq!(
            (&found["by"], &found["decision"]),
            (&json!(by), &json!(decision)),
            "{record}: {found}"
        );
    }
    assert!(world.everything().await == before, "nothing is written");
}

#[tokio::test]
async fn a_matching_specification_is_checked_when_it_is_loaded() {
    let world = World::small().await;
    let folder = world.copy_module("clients");
    let cases = [
        (
            "matching.yaml",
            "from: phone }",
            "from: telephone }",
            "matching.yaml:6: the field `phone` comes from the column `telephone`",
        ),
        (
            "matching.yaml",
            "- { key: [phone], most: 60 }",
            "- { key: [phones], most: 60 }",
            "matching.yaml:14",
        ),
        ("matching.yaml", "blocking:", "blockings:", "matching.yaml:"),
        (
            "matching.yaml",
            "level: nickname,",
            "level: pet name,",
            "the model was trained for other comparisons",
        ),
        (
            "matching.model.json",
            "\"version\": 1,",
            "\"version\": one,",
            "matching.model.json:2",
        ),
        (
            "module.yaml",
            "by: matching.yaml",
            "by: matches.yaml",
            "module.yaml:20: `by` names `matches.yaml`",
        ),
    ];
    for (file, right, wrong, said) in cases {
        let place = folder.join(file);
        let whole = std::fs::read_to_string(&place).expect("a file");
        assert!(whole.contains(right), "{file} holds {right}");
        std::fs::write(&place, whole.replacen(right, wrong, 1)).expect("a file");
        let answer = world
            .concord(&[
                "why-match",
                "clients/a",
                "clients/b",
                "--modules",
                "modules",
            ])
            .await
            .expect(2);
        assert!(answer.stderr.contains(said), "{file}: {}", answer.stderr);
        std::fs::write(&place, whole).expect("a file");
    }
}
