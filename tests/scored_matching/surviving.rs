//! Whose word stands where two sources speak for one entity.

use serde_json::{Value, json};

use super::landing::second_source;
use super::people::{client, who, world_with};
use crate::world::{World, pick};

const CLIENTS: &[&str] = &[
    "--module",
    "users",
    "--module",
    "clients",
    "--modules",
    "more",
];
const SUBSCRIBERS: &[&str] = &["--module", "subscribers", "--modules", "more"];

const TRUST_SUBSCRIBERS: &str =
    "survivorship: { trust: [subscribers, clients], recency: source_updated_at }";
const TRUST_CLIENTS: &str =
    "survivorship: { trust: [clients, subscribers], recency: source_updated_at }";

/// The row that both sources speak for, without what depends on who came first.
const ROW: &str = "select name, first_name, municipality, phone, notes, tags from (
    select t.name, t.first_name, t.municipality, t.phone, t.street as notes, t.tags from prod.clients t
    where t.deleted_at is null and t.phone like '%222%9090' and t.id in ('cli_other', 'ins_same')) r";

fn of_clients() -> Value {
    client(
        "cli_other",
        "Bérénice",
        "Quintal",
        json!({ "phone": "418 222-9090", "city": "Québec" }),
    )
}

fn of_subscribers(city: &str) -> Value {
    json!({ "op": "upsert", "kind": "piano", "id": "ins_same", "value": {
        "id": "ins_same", "make": "Quintal, Berenice", "model": "+1 418 222 9090", "location": city,
        "status": "ACTIVE", "type": "GRAND", "tags": [],
        "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } })
}

/// A world of two sources, which have spoken in this order.
async fn world_of(survivorship: &str, order: [&[&str]; 2]) -> World {
    let world = world_with(Vec::new()).await;
    second_source(&world, survivorship);
    world
        .edit(json!([of_clients(), of_subscribers("Quebec")]))
        .await;
    for run in order {
        world.run_sync(run).await.expect(0);
    }
    world
}

#[tokio::test]
async fn the_trusted_source_wins_whichever_comes_first() {
    let cases = [
        (TRUST_CLIENTS, "Bérénice Quintal", "Québec", "418 222-9090"),
        (
            TRUST_SUBSCRIBERS,
            "Quintal, Berenice",
            "Quebec",
            "+1 418 222 9090",
        ),
    ];
    for (survivorship, name, city, phone) in cases {
        let mut rows = Vec::new();
        for order in [[CLIENTS, SUBSCRIBERS], [SUBSCRIBERS, CLIENTS]] {
            let world = world_of(survivorship, order).await;
            let row = world.rows(ROW).await;
            assert_eq!(row.len(), 1, "both are one entity: {row:?}");
            let production = world.production().await;
            for run in [CLIENTS, SUBSCRIBERS, CLIENTS] {
                world.run_sync(run).await.expect(0);
            }
            assert_eq!(
                world.production().await,
                production,
                "runs repeat themselves"
            );
            rows.extend(row);
        }
        assert_eq!(rows[0], rows[1], "{survivorship}");
        let stands = [
            &rows[0]["name"],
            &rows[0]["municipality"],
            &rows[0]["phone"],
        ];
        assert_eq!(stands, [name, city, phone], "{survivorship}");
        assert_eq!(rows[0]["first_name"], "Bérénice", "only one source says it");
    }
}

#[tokio::test]
async fn the_losing_words_are_shown_and_heard_again_when_the_winner_goes() {
    let world = world_of(TRUST_SUBSCRIBERS, [CLIENTS, SUBSCRIBERS]).await;
    let before = world.head().await;
    let shown = world
        .concord(&["show", "clients/cli_other", "--modules", "more"])
        .await
        .expect(0)
        .stdout;
    assert!(
        shown.contains("municipality: \"Québec\" says clients/cli_other (gazelle)"),
        "{shown}"
    );
    assert!(
        !shown.contains("first_name: \"Bérénice\" says"),
        "what stands is not said otherwise: {shown}"
    );
    // The winner says something else, and the loser does: one is heard, the other kept.
    world.edit(json!([of_subscribers("Lévis")])).await;
    world.run_sync(SUBSCRIBERS).await.expect(0);
    assert_eq!(world.rows(ROW).await[0]["municipality"], "Lévis");
    let moved = client(
        "cli_other",
        "Bérénice",
        "Quintal",
        json!({ "phone": "418 222-9090", "city": "Saguenay" }),
    );
    world.edit(moved).await;
    world.run_sync(CLIENTS).await.expect(0);
    assert_eq!(world.rows(ROW).await[0]["municipality"], "Lévis");
    let conflicts = world
        .rows("select code from ops.problems where kind = 'conflict'")
        .await;
    assert!(conflicts.is_empty(), "{conflicts:?}");
    // A rollback stands while nobody says anything new.
    let number = before.to_string();
    world
        .concord(&[
            "rollback",
            &number,
            "--reason",
            "a test",
            "--yes",
            "--modules",
            "more",
        ])
        .await
        .expect(0);
    assert_eq!(world.rows(ROW).await[0]["municipality"], "Quebec");
    world.run_sync(SUBSCRIBERS).await.expect(0);
    world.run_sync(CLIENTS).await.expect(0);
    assert_eq!(world.rows(ROW).await[0]["municipality"], "Quebec");
    world
        .edit(json!({ "op": "delete", "kind": "piano", "id": "ins_same" }))
        .await;
    world.run_sync(SUBSCRIBERS).await.expect(0);
    let row = world.rows(ROW).await;
    assert_eq!(
        row[0]["name"], "Bérénice Quintal",
        "who is left is heard: {row:?}"
    );
}

#[tokio::test]
async fn a_changed_order_moves_values_at_the_next_run_of_any_module_but_not_what_stands_by_hand() {
    let world = world_of(TRUST_CLIENTS, [CLIENTS, SUBSCRIBERS]).await;
    world
        .sql("update prod.clients set municipality = 'Quebec' where id = 'cli_other'")
        .await;
    let stands = |row: &[Value]| {
        ["name", "municipality", "phone"].map(|c| row[0][c].as_str().unwrap_or_default().to_owned())
    };
    world.run_sync(CLIENTS).await.expect(0);
    for (order, runs, name, phone) in [
        // The module that declares the order.
        (
            TRUST_SUBSCRIBERS,
            SUBSCRIBERS,
            "Quintal, Berenice",
            "+1 418 222 9090",
        ),
        // One that does not.
        (TRUST_CLIENTS, CLIENTS, "Bérénice Quintal", "418 222-9090"),
    ] {
        second_source(&world, order);
        world.run_sync(runs).await.expect(0);
        let row = world.rows(ROW).await;
        assert_eq!(stands(&row), [name, "Quebec", phone], "{order}");
        let production = world.production().await;
        for run in [SUBSCRIBERS, CLIENTS, SUBSCRIBERS] {
            world.run_sync(run).await.expect(0);
        }
        assert_eq!(world.production().await, production, "{order}");
    }
    let conflicts = world
        .rows("select code from ops.problems where kind = 'conflict'")
        .await;
    assert!(conflicts.is_empty(), "{conflicts:?}");
}

#[tokio::test]
async fn among_equally_trusted_the_later_word_wins_and_else_the_fuller_record() {
    const RECENT: &str = "survivorship: { trust: [], recency: source_updated_at }";
    const FULLER: &str = "survivorship: { trust: [] }";
    let later = |at: &str| {
        let mut edit = of_subscribers("Quebec");
        edit["value"]["updatedAt"] = json!(at);
        edit
    };
    let name = |row: Vec<Value>| row[0]["name"].clone();
    for order in [[CLIENTS, SUBSCRIBERS], [SUBSCRIBERS, CLIENTS]] {
        // The client's record says more; both are of one time at first.
        let world = world_of(RECENT, order).await;
        assert_eq!(name(world.rows(ROW).await), "Bérénice Quintal");
        world.edit(later("2026-05-02T00:00:00Z")).await;
        world.run_sync(SUBSCRIBERS).await.expect(0);
        assert_eq!(name(world.rows(ROW).await), "Quintal, Berenice");
        second_source(&world, FULLER);
        world.run_sync(CLIENTS).await.expect(0);
        assert_eq!(name(world.rows(ROW).await), "Bérénice Quintal");
    }
}

#[tokio::test]
async fn unmerge_gives_each_its_words_back() {
    let world = world_of(TRUST_SUBSCRIBERS, [CLIENTS, SUBSCRIBERS]).await;
    assert_eq!(
        who(&world, "ins_same").await,
        (json!("cli_other"), json!("scored"))
    );
    world
        .concord(&[
            "unmerge",
            "subscribers/ins_same",
            "--reason",
            "two people",
            "--modules",
            "more",
        ])
        .await
        .expect(0);
    let mut rows = world.rows_of("clients").await;
    rows.retain(|row| row["id"] == "cli_other" || row["id"] == "ins_same");
    let rows = pick(&rows, &["id", "name", "municipality"]);
    let row =
        |id: &str, name: &str, city: &str| json!({ "id": id, "name": name, "municipality": city });
    assert_eq!(
        rows,
        [
            row("cli_other", "Bérénice Quintal", "Québec"),
            row("ins_same", "Quintal, Berenice", "Quebec"),
        ]
    );
    let production = world.production().await;
    for run in [SUBSCRIBERS, CLIENTS] {
        world.run_sync(run).await.expect(0);
    }
    assert_eq!(world.production().await, production);
}

#[tokio::test]
async fn a_survivorship_is_checked_when_it_is_loaded() {
    let world = World::small().await;
    let cases = [
        (
            "survivorship: { trust: [clients, guests] }",
            "module.yaml:10: `trust` names `guests`, which is no loaded module of its table",
        ),
        (
            "survivorship: { trust: [clients, users] }",
            "`trust` names `users`, which is no loaded module",
        ),
        (
            "survivorship: { trust: [clients, clients] }",
            "`trust` names `clients`, twice",
        ),
        (
            "survivorship: { trust: [clients], recency: changed }",
            "module.yaml:10: `recency` names the column `changed`",
        ),
        (
            "survivorship: { trust: [clients], recent: changed }",
            "unknown field `recent`",
        ),
    ];
    for (survivorship, said) in cases {
        second_source(&world, survivorship);
        let answer = world.run_sync(SUBSCRIBERS).await.expect(2);
        assert!(
            answer.stderr.contains(said),
            "{survivorship}: {}",
            answer.stderr
        );
    }
}
