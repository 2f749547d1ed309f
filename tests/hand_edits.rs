//! What people wrote into production by hand stays, whatever kind of nothing the source sends.

use serde_json::{Value, json};

use crate::world::World;

/// A client of the account, and one of its pianos' owners, with tags and notes at the source.
async fn subjects(world: &World) -> (String, String) {
    let piano = world
        .rows("select id from prod.pianos where client_id is not null order by id limit 1")
        .await;
    let id = piano[0]["id"].as_str().expect("an id").to_owned();
    (world.ids_of("clients").await.remove(0), id)
}

/// The source sets tags and notes, a run takes them, and then people edit them in production.
async fn edited_world() -> (World, String, String) {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let (client, piano) = subjects(&world).await;
    let at_source = json!({ "tags": ["vip", "école"], "personalNotes": "De la source", "companyName": "Maison A" });
    world
        .edit(json!([
            { "op": "patch", "kind": "client", "id": client, "value": at_source },
            { "op": "patch", "kind": "piano", "id": piano, "value": { "tags": ["rental"], "notes": "De la source" } },
        ]))
        .await;
    world.run_sync(&["--all"]).await.expect(0);
    world
        .sql(&format!(
            "update prod.clients set tags = array['école', 'à la main'], personal_notes = 'À la main',
                    wants_text = not coalesce(wants_text, false) where id = '{client}';
             update prod.pianos set tags = array['rental', 'à la main'], notes = 'À la main',
                    dampp_chaser_installed = not coalesce(dampp_chaser_installed, false) where id = '{piano}'"
        ))
        .await;
    (world, client, piano)
}

/// The protected cells of the two rows.
async fn protected(world: &World, client: &str, piano: &str) -> Value {
    let sql = format!(
        "select (select to_jsonb(t) from (select tags, personal_notes, wants_text from prod.clients where id = '{client}') t)
             || jsonb_build_object('piano', (select to_jsonb(t) from
                    (select tags, notes, dampp_chaser_installed from prod.pianos where id = '{piano}') t))"
    );
    world.value(&sql).await
}

#[tokio::test]
async fn lost_tags_cannot_happen_whatever_nothing_the_source_sends() {
    let (world, client, piano) = edited_world().await;
    let kept = protected(&world, &client, &piano).await;
    assert_eq!(
        kept["tags"],
        json!(["école", "à la main"]),
        "the edit stands"
    );
    let kinds = [
        ("empty", json!([]), json!("")),
        ("null", json!(null), json!(null)),
        (
            "absent",
            json!({ "$absent": true }),
            json!({ "$absent": true }),
        ),
    ];
    for (kind, tags, notes) in kinds {
        // Another field changes too, so that the record is merged anew.
        let name = format!("Maison {kind}");
        world
            .edit(json!([
                { "op": "patch", "kind": "client", "id": client,
                  "value": { "tags": tags, "personalNotes": notes, "companyName": name } },
                { "op": "patch", "kind": "piano", "id": piano, "value": { "tags": tags, "notes": notes, "make": name } },
            ]))
            .await;
        world.run_sync(&["--all"]).await.expect(0);
        assert_eq!(protected(&world, &client, &piano).await, kept, "{kind}");
        assert_eq!(
            world.row_of("clients", &client).await["company_name"],
            name,
            "what did change arrives"
        );
    }
    let conflicts = world
        .count("select count(*) from ops.problems where kind = 'conflict'")
        .await;
    assert_eq!(conflicts, 0, "nothing is not a change");
}

#[tokio::test]
async fn a_narrower_query_takes_nothing_away() {
    let (world, client, piano) = edited_world().await;
    let kept = protected(&world, &client, &piano).await;
    let folder = world.copy_module("clients");
    world.edit_file(&folder.join("query.graphql"), |query| {
        let narrower = query
            .replace("      tags\n", "")
            .replace("      personalNotes\n", "")
            .replace("        wantsText\n", "");
        assert!(!narrower.contains("tags") && narrower.len() < query.len());
        narrower
    });
    let others = "select jsonb_agg(to_jsonb(c) order by id) from (select id, tags, personal_notes, wants_text from prod.clients) c";
    let before = world.value(others).await;
    world
        .edit(json!({ "op": "patch", "kind": "client", "id": client, "value": { "companyName": "Maison B" } }))
        .await;
    let answer = world
        .run_sync(&["--module", "clients", "--modules", "modules"])
        .await
        .expect(0);
    assert_eq!(
        answer.module("clients")["staged"]["changed"],
        40,
        "every record came narrower"
    );
    assert_eq!(
        answer.module("clients")["claims"]["updated"],
        1,
        "one of them says something new"
    );
    assert_eq!(protected(&world, &client, &piano).await, kept);
    assert_eq!(world.value(others).await, before, "nor of anyone else");
    world.run_sync(&["--module", "clients"]).await.expect(0);
    assert_eq!(
        protected(&world, &client, &piano).await,
        kept,
        "the wide query again brings nothing back"
    );
}

#[tokio::test]
async fn a_changed_source_value_arrives_and_two_changes_are_a_conflict() {
    let (world, client, _) = edited_world().await;
    world
        .edit(json!({ "op": "patch", "kind": "client", "id": client, "value": {
            "personalNotes": "La source change", "preferenceNotes": "Le matin", "tags": ["vip", "école", "nouveau"] } }))
        .await;
    world.run_sync(&["--all"]).await.expect(0);
    let row = world.row_of("clients", &client).await;
    assert_eq!(
        row["preference_notes"], "Le matin",
        "what only the source changed arrives"
    );
    assert_eq!(
        row["personal_notes"], "À la main",
        "what both changed keeps the local value"
    );
    let expected = json!(["école", "à la main", "nouveau"]);
    assert_eq!(
        row["tags"], expected,
        "a tag removed by hand stays away, a new one is added"
    );
    let conflicts = world.open_problems("conflict").await;
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0]["source_id"], client.as_str());
    assert_eq!(conflicts[0]["place"], "personal_notes");
    let sides = ["base", "theirs", "ours"].map(|side| conflicts[0]["detail"][side].clone());
    assert_eq!(
        sides,
        [
            json!("De la source"),
            json!("La source change"),
            json!("À la main")
        ]
    );

    let before = world.exact().await;
    world.run_sync(&["--all"]).await.expect(0);
    world.run_sync(&["--all", "--mode", "full"]).await.expect(0);
    assert_eq!(world.exact().await, before, "and it stays so");
}

#[tokio::test]
async fn edits_by_hand_outlive_a_replay_of_everything() {
    let (world, client, piano) = edited_world().await;
    let kept = protected(&world, &client, &piano).await;
    for module in ["clients", "pianos"] {
        let folder = world.copy_module(module);
        world.edit_file(&folder.join("module.yaml"), |text| {
            text + "\n# Read again.\n"
        });
    }
    world
        .run_sync(&["--all", "--modules", "modules"])
        .await
        .expect(0);
    assert_eq!(protected(&world, &client, &piano).await, kept);
}
