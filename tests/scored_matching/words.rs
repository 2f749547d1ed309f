//! What people decide.

use serde_json::{Value, json};

use super::people::{records, who, world_with};
use crate::world::{World, pick, texts};

#[tokio::test]
async fn a_persons_word_is_kept_and_the_next_run_lands_it_so() {
    let world = world_with(records()).await;
    let list = world
        .concord(&["review", "list", "--json"])
        .await
        .expect(0)
        .json();
    let ids: Vec<&str> = list
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|waiting| waiting["source_id"].as_str())
        .collect();
    assert_eq!(ids.len(), 2, "{list}");
    let first = format!("clients/{}", ids[0]);
    world.concord(&["review", "later", &first]).await.expect(0);
    let turned = world
        .concord(&["review", "list", "--json"])
        .await
        .expect(0)
        .json();
    assert_eq!(turned[1]["source_id"], ids[0], "what is put off comes last");

    let accept = [
        "review",
        "accept",
        "clients/cli_doubt",
        "--reason",
        "He said so.",
        "--actor",
        "nadia",
    ];
    world.concord(&accept).await.expect(0);
    let reject = [
        "review",
        "reject",
        "clients/cli_spouse",
        "--reason",
        "His wife.",
        "--actor",
        "nadia",
    ];
    world.concord(&reject).await.expect(0);
    second_is_told(&world).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(
        who(&world, "cli_doubt").await,
        (json!("old-3"), json!("said"))
    );
    assert_eq!(
        who(&world, "cli_spouse").await,
        (json!("cli_spouse"), json!("new"))
    );
    let mut links = world.links().await;
    links.sort_by_key(|link| link["source_id"].to_string());
    assert_eq!(
        pick(
            &links,
            &["source_id", "entity_id", "is_same", "author", "reason"]
        ),
        [
            json!({ "source_id": "cli_doubt", "entity_id": "old-3", "is_same": true, "author": "nadia", "reason": "He said so." }),
            json!({ "source_id": "cli_spouse", "entity_id": "old-2", "is_same": false, "author": "nadia", "reason": "His wife." }),
        ]
    );
    assert!(world.open_problems("review").await.is_empty());
    let refused = world.concord(&accept).await.expect(2);
    assert!(
        refused.stderr.contains("not in review"),
        "{}",
        refused.stderr
    );
}

/// X5: who decides what another has decided since the last run is told, and changes nothing unless he
/// insists.
async fn second_is_told(world: &World) {
    let said = world.links().await;
    let second = |by: &'static str| {
        let record = "clients/cli_doubt";
        ["review", "reject", record, "--reason", "No.", "--actor", by]
    };
    let told = world.concord(&second("paul")).await.expect(2);
    assert!(
        told.stderr.contains("nadia has decided it at") && told.stderr.contains("is old-3"),
        "{}",
        told.stderr
    );
    assert_eq!(world.links().await, said, "the first word stands");
    let insisting = [&second("paul")[..], &["--overrule"]].concat();
    world.concord(&insisting).await.expect(0);
    assert_eq!(world.links().await[1]["author"], "paul");
    let back = [
        "review",
        "accept",
        "clients/cli_doubt",
        "--reason",
        "He said so.",
        "--actor",
        "nadia",
        "--overrule",
    ];
    world.concord(&back).await.expect(0);
    // Both at once: one of them is first.
    let [one, two] = ["luc", "anne"].map(|by| {
        let record = "clients/cli_spouse";
        [
            "review",
            "reject",
            record,
            "--reason",
            "His wife.",
            "--actor",
            by,
        ]
    });
    let spouse = "delete from prod.links where source_id = 'cli_spouse'";
    world.sql(spouse).await;
    let (first, second) = tokio::join!(world.concord(&one), world.concord(&two));
    let mut codes = [first.code, second.code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 2], "{} {}", first.stderr, second.stderr);
    world.sql(spouse).await;
    let again = [
        "review",
        "reject",
        "clients/cli_spouse",
        "--reason",
        "His wife.",
        "--actor",
        "nadia",
    ];
    world.concord(&again).await.expect(0);
}

#[tokio::test]
async fn a_record_taken_out_of_an_entity_is_one_of_its_own_and_stays_so() {
    let world = world_with(Vec::new()).await;
    let before = world.row_of("clients", "old-1").await;
    world.edit(Value::Array(records())).await;
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(who(&world, "cli_typo").await.0, json!("old-1"));
    let unmerge = [
        "unmerge",
        "clients/cli_typo",
        "--reason",
        "A cousin.",
        "--actor",
        "nadia",
        "--json",
    ];
    let done = world.concord(&unmerge).await.expect(0).json();
    assert_eq!(
        (&done["from"], &done["into"]),
        (&json!("old-1"), &json!("cli_typo"))
    );
    let after = world.row_of("clients", "old-1").await;
    for column in [
        "name",
        "first_name",
        "last_name",
        "email",
        "phone",
        "street",
        "municipality",
        "postal_code",
        "status",
    ] {
        assert_eq!(
            after[column], before[column],
            "{column} is as it was before the record joined"
        );
    }
    let own = world
        .value("select last_name from prod.clients where id = 'cli_typo'")
        .await;
    assert_eq!(own, "Lachappelle");
    let production = world.production().await;
    world
        .run_sync(&["--module", "clients", "--mode", "full"])
        .await
        .expect(0);
    assert_eq!(
        world.production().await,
        production,
        "the model does not join them again"
    );
    assert_eq!(
        who(&world, "cli_typo").await,
        (json!("cli_typo"), json!("unmerged"))
    );
    world.concord(&["doctor"]).await;
    let kinds = texts(&world.promotions().await, "kind");
    assert!(kinds.iter().any(|kind| kind == "unmerge"), "{kinds:?}");
    world.concord(&unmerge).await.expect(2);
}
