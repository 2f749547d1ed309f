//! Staging keeps what came, byte for byte, and nothing is set aside that can become a row.

use serde_json::{Value, json};

use crate::world::World;

/// Invented clients, each with one oddity: id, the oddity's field as JSON text, whether jsonb can hold it
/// faithfully, whether it can become a row.
fn oddities() -> Vec<(&'static str, String, bool, bool)> {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        ("cli_plain", r#""referenceId":"x""#.into(), true, true),
        (
            "cli_nul",
            r#""referenceId":"a\u0000b""#.into(),
            false,
            false,
        ),
        (
            "cli_lone",
            r#""referenceId":"a\ud800b""#.into(),
            false,
            false,
        ),
        (
            "cli_twice",
            r#""referenceId":"first","referenceId":"second""#.into(),
            false,
            true,
        ),
        ("cli_exponent", r#""referenceId":1e3"#.into(), false, false),
        ("cli_huge", r#""referenceId":1e400"#.into(), false, false),
        (
            "cli_digits",
            r#""referenceId":12345678901234567890123456789.000001"#.into(),
            true,
            false,
        ),
        (
            "cli_deep",
            format!(r#""referenceId":{}"#, deep(3_000)),
            false,
            false,
        ),
        (
            "cli_emoji",
            r#""referenceId":"\ud83c\udfb9 é é""#.into(),
            true,
            true,
        ),
        (
            "cli_slash",
            r#""referenceId":"a\/b\t\u00e9""#.into(),
            true,
            true,
        ),
    ]
}

async fn with_oddities() -> World {
    let world = World::small().await;
    let edits: Vec<Value> = oddities()
        .iter()
        .map(|(id, field, _, _)| {
            let value = match field.as_str() {
                // The key twice cannot be said by a JSON value; one raw text can smuggle the second in.
                r#""referenceId":"first","referenceId":"second""# => {
                    r#""first","referenceId":"second""#.to_owned()
                }
                other => other.trim_start_matches(r#""referenceId":"#).to_owned(),
            };
            json!({ "op": "upsert", "kind": "client", "id": id, "value": {
                "id": id, "companyName": format!("Maison {id}"), "status": "ACTIVE", "tags": [],
                "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z",
                "referenceId": { "$raw": value } } })
        })
        .collect();
    world.edit(json!(edits)).await;
    world
}

#[tokio::test]
async fn every_oddity_is_staged_as_received_and_accounted_for() {
    let world = with_oddities().await;
    let answer = world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    assert_eq!(answer.module("clients")["state"], "OK_Q");
    assert_eq!(
        answer.module("clients")["staged"]["fetched"],
        40 + oddities().len()
    );
    for (id, field, in_jsonb, lands) in oddities() {
        let staged = world
            .rows(&format!(
                "select payload is not null as held, defect, position(convert_to('{}', 'UTF8') in raw) > 0 as verbatim
                 from staging.records where module = 'clients' and source_id = '{id}'",
                field.replace('\'', "''")
            ))
            .await;
        assert_eq!(staged.len(), 1, "{id} is staged");
        assert_eq!(staged[0]["held"], in_jsonb, "{id}: {}", staged[0]);
        if !in_jsonb {
            assert_eq!(
                staged[0]["verbatim"], true,
                "{id} keeps its bytes: {}",
                staged[0]
            );
            assert!(
                staged[0]["defect"].is_string(),
                "{id} says why: {}",
                staged[0]
            );
        }
        let row = world
            .count(&format!(
                "select count(*) from prod.clients where id = '{id}'"
            ))
            .await;
        let aside = format!(
            "select count(*) from ops.problems where kind = 'quarantine' and state = 'open' and source_id = '{id}' and why <> ''"
        );
        let aside = world.count(&aside).await;
        assert_eq!((row, aside), if lands { (1, 0) } else { (0, 1) }, "{id}");
    }
    let twice = world
        .run_sync(&["--module", "clients", "--mode", "full"])
        .await
        .expect(0);
    assert_eq!(
        twice.module("clients")["staged"]["unchanged"],
        40 + oddities().len(),
        "the same bytes are the same record"
    );
}

#[tokio::test]
async fn an_oddity_that_is_corrected_lands() {
    let world = with_oddities().await;
    world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    let corrected: Value = oddities()
        .iter()
        .map(|(id, ..)| json!({ "op": "patch", "kind": "client", "id": id, "value": { "referenceId": "corrigé" } }))
        .collect();
    world.edit(corrected).await;
    let answer = world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(answer.module("clients")["state"], "OK");
    let landed = "select count(*) from prod.clients where reference_id = 'corrigé'";
    assert_eq!(world.count(landed).await, oddities().len() as i64);
    let open = world.open_problems("quarantine").await;
    assert!(open.is_empty(), "what was said of them is over: {open:?}");
}
