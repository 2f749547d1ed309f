//! What its source merged into another keeps its history, its children and what people wrote, and its old id
//! leads to the survivor.

use serde_json::{Value, json};

use crate::world::{World, texts};

/// A loaded account, and two of its clients: the first with several pianos and the most entries.
async fn loaded() -> (World, String, String) {
    let world = World::small().await;
    world.run_sync(&["--all"]).await.expect(0);
    let rows = world
        .rows(
            "select c.id from prod.clients c where not c.is_placeholder
             order by (select count(*) from prod.pianos p where p.client_id = c.id) desc,
                 (select count(*) from prod.timeline_entries t where t.client_id = c.id) desc, c.id limit 2",
        )
        .await;
    let id = |row: &Value| row["id"].as_str().expect("an id").to_owned();
    (world, id(&rows[0]), id(&rows[1]))
}

async fn merge(world: &World, from: &str, into: &str) {
    let merge = json!({ "source": from, "target": into });
    world.source.admin("merge_clients", &merge).await;
}

/// The rows of all tables that name a client.
async fn naming(world: &World, client: &str) -> i64 {
    let sql = ["pianos", "appointments", "timeline_entries"]
        .map(|table| format!("(select count(*) from prod.{table} where client_id = '{client}')"))
        .join(" + ");
    world.count(&format!("select {sql}")).await
}

async fn client(world: &World, id: &str) -> Value {
    let mut row = world.row_of("clients", id).await;
    assert!(row.is_object(), "{id} has no row");
    row["deleted"] = json!(row["deleted_at"].is_string());
    row
}

/// How many of these clients have a row that is not marked deleted.
async fn living(world: &World, ids: [&str; 2]) -> usize {
    let rows = world.rows_of("clients").await;
    let is_one =
        |row: &&Value| ids.iter().any(|id| row["id"] == *id) && row["deleted_at"].is_null();
    rows.iter().filter(is_one).count()
}

/// Who a client is: the entity and how that is known.
async fn who(world: &World, id: &str) -> Value {
    let identity = world.identity_of("clients", id).await;
    json!([identity["entity_id"], identity["method"]])
}

async fn all(world: &World) {
    world.run_sync(&["--all"]).await.expect(0);
}

/// The entries, whose records name the old id, are taken up again, and nothing changes.
async fn mentioned_later(world: &World, steady: &str) {
    let folder = world.copy_module("timeline");
    world.edit_file(&folder.join("module.yaml"), |text| text + "\n# Again.\n");
    let again = ["--module", "timeline", "--modules", "modules"];
    world.run_sync(&again).await.expect(0);
    assert_eq!(
        world.exact().await,
        steady,
        "the old id leads to the survivor"
    );
}

/// A return to the promotion before the merge is exact, and so is the return from it.
async fn undone_and_done_again(world: &World, number: i64, before: &str, steady: &str) {
    for (number, expected) in [(number, before), (number + 1, steady)] {
        let number = number.to_string();
        let words = ["rollback", &number, "--yes", "--reason", "Essai."];
        world.concord(&words).await.expect(0);
        assert_eq!(world.exact().await, expected, "at {number}");
    }
}

#[tokio::test]
async fn a_merge_at_the_source_makes_an_alias_and_its_return_parts_them_again() {
    let (world, old, new) = loaded().await;
    let by_hand = format!(
        "update prod.clients set personal_notes = 'Clé sous le pot', tags = array_append(tags, 'fidèle') where id = '{old}';
         update prod.clients set personal_notes = null where id = '{new}'"
    );
    world.sql(&by_hand).await;
    let (of_old, of_new) = (naming(&world, &old).await, naming(&world, &new).await);
    assert!(of_old > 3, "{of_old} children");
    merge(&world, &old, &new).await;
    all(&world).await;
    assert!(
        naming(&world, &old).await > 0,
        "entries that are not read again still name it"
    );
    let before = (world.exact().await, world.head().await);
    all(&world).await;
    assert_eq!(who(&world, &old).await, json!([new, "merged"]));
    assert_eq!(naming(&world, &old).await, 0, "no child is left behind");
    assert_eq!(
        naming(&world, &new).await,
        of_old + of_new,
        "and none is doubled"
    );
    let (row, gone) = (client(&world, &new).await, client(&world, &old).await);
    assert_eq!(row["personal_notes"], "Clé sous le pot", "{row}");
    assert!(row["tags"].to_string().contains("fidèle"), "{row}");
    assert_eq!(
        (&gone["deleted"], &gone["personal_notes"]),
        (&json!(true), &json!("Clé sous le pot")),
        "the row of the old id stays as it was"
    );
    let steady = world.exact().await;
    all(&world).await;
    assert_eq!(world.exact().await, steady, "it is merged once");
    mentioned_later(&world, &steady).await;
    undone_and_done_again(&world, before.1, &before.0, &steady).await;
    let back = json!({ "op": "upsert", "kind": "client", "id": old, "value": { "id": old, "companyName": "De retour",
        "status": "ACTIVE", "tags": [], "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } });
    world.edit(back).await;
    all(&world).await;
    assert_eq!(who(&world, &old).await, json!([old, "unmerged"]));
    let (row, parted) = (client(&world, &new).await, client(&world, &old).await);
    assert_eq!(
        (&parted["deleted"], &row["personal_notes"]),
        (&json!(false), &Value::Null),
        "{parted} {row}"
    );
    assert!(!row["tags"].to_string().contains("fidèle"), "{row}");
    assert!(
        naming(&world, &old).await > 0,
        "what its records say of it is its own again"
    );
    assert_eq!(
        naming(&world, &old).await + naming(&world, &new).await,
        of_old + of_new
    );
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

#[tokio::test]
async fn where_only_some_children_went_a_person_is_asked() {
    let (world, old, new) = loaded().await;
    let pianos = format!("select id from prod.pianos where client_id = '{old}' order by id");
    let piano = world.rows(&pianos).await.remove(0);
    world
        .edit(json!([
            { "op": "patch", "kind": "piano", "id": piano["id"], "value": { "client": new } },
            { "op": "delete", "kind": "client", "id": old },
        ]))
        .await;
    all(&world).await;
    let answer = world.run_sync(&["--all"]).await.expect(0);
    println!("{}", answer.module("clients"));
    let asked = async || {
        let mut asked = world.open_problems_of("clients", "review").await;
        asked.retain(|problem| problem["code"].to_string().contains("maybe"));
        asked
    };
    let of_old = asked().await;
    assert_eq!(texts(&of_old, "source_id"), [old.as_str()]);
    assert_eq!(texts(&of_old, "code"), ["maybe_merged_at_source"]);
    assert_eq!(of_old[0]["detail"]["entities"], json!([new]));
    assert_eq!(
        who(&world, &old).await,
        json!([old, "new"]),
        "nothing is decided"
    );
    let record = format!("clients/{old}");
    let yes = [
        "review",
        "accept",
        &record,
        "--reason",
        "Une maison.",
        "--actor",
        "chef",
    ];
    world.concord(&yes).await.expect(0);
    all(&world).await;
    assert!(asked().await.is_empty());
    assert_eq!(who(&world, &old).await, json!([new, "merged"]));
    assert_eq!(naming(&world, &old).await, 0);
    let words = ["unmerge", &record, "--reason", "Non.", "--actor", "chef"];
    world.concord(&words).await.expect(0);
    assert_eq!(who(&world, &old).await, json!([old, "unmerged"]));
    all(&world).await;
    assert_eq!(
        who(&world, &old).await,
        json!([old, "unmerged"]),
        "and it stays so"
    );
    assert!(
        naming(&world, &old).await > 0,
        "its children are its own again"
    );
}

/// A row of nobody's record leads along with the others, and back.
#[tokio::test]
async fn an_alias_follows_where_its_survivor_is_merged_and_still_knows_what_it_was() {
    let (world, old, new) = loaded().await;
    let third = world
        .value(&format!(
            "select max(id) from prod.clients where not is_placeholder and id not in ('{old}', '{new}')"
        ))
        .await;
    let third = third.as_str().expect("an id").to_owned();
    let by_hand = format!(
        "insert into prod.pianos (id, client_id, version, is_placeholder) values ('à la main', '{old}', 1, false);
         update prod.clients set tags = array_append(tags, 'fidèle') where id = '{old}'"
    );
    world.sql(&by_hand).await;
    let owner = async || world.row_of("pianos", "à la main").await["client_id"].take();
    let tagged = async |id: &str| {
        let tags = client(&world, id).await["tags"].take();
        tags.as_array()
            .is_some_and(|tags| tags.contains(&json!("fidèle")))
    };
    for (from, into) in [(&old, &new), (&new, &third)] {
        merge(&world, from, into).await;
        all(&world).await;
        all(&world).await;
        assert_eq!(who(&world, from).await, json!([into, "merged"]));
        assert_eq!(owner().await, json!(into));
        assert!(tagged(into).await, "{into}");
    }
    assert_eq!(who(&world, &old).await, json!([third, "merged"]));
    let back = json!({ "op": "upsert", "kind": "client", "id": old, "value": { "id": old, "companyName": "De retour",
        "status": "ACTIVE", "tags": [], "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } });
    world.edit(back).await;
    all(&world).await;
    assert_eq!(who(&world, &old).await, json!([old, "unmerged"]));
    assert_eq!(who(&world, &new).await, json!([third, "merged"]));
    assert_eq!(owner().await, json!(old));
    assert!(!tagged(&third).await);
    assert!(tagged(&old).await, "its own row had kept it");
    let steady = world.exact().await;
    all(&world).await;
    assert_eq!(world.exact().await, steady);
    world.concord(&["doctor", "--offline"]).await.expect(0);
}

/// A child that is given away while its parent stays is remembered only as long as the parent could turn out
/// to be merged.
#[tokio::test]
async fn children_given_away_are_forgotten_when_their_parent_has_been_seen_since() {
    let (world, old, new) = loaded().await;
    let pianos = format!("select id from prod.pianos where client_id = '{old}' order by id");
    let piano = world.rows(&pianos).await.remove(0);
    world
        .edit(
            json!({ "op": "patch", "kind": "piano", "id": piano["id"], "value": { "client": new } }),
        )
        .await;
    let moves = "select count(*) from staging.moves";
    let mut remembered = Vec::new();
    for _ in 0..4 {
        all(&world).await;
        remembered.push(world.count(moves).await);
    }
    assert_eq!(remembered[0], 1, "{remembered:?}");
    assert_eq!(remembered[3], 0, "{remembered:?}");
}

fn into(id: &str) -> Value {
    json!(format!("merged:{id}"))
}

/// Whatever its children say: the field is believed at once, waited with, and taken back.
#[tokio::test]
async fn a_source_that_says_itself_what_it_merged_is_believed_at_once() {
    let (world, old, new) = loaded().await;
    world.edit_file(&world.copy_module("clients").join("module.yaml"), |text| {
        let field = "  merged_into: if ((.personalNotes // \"\") | startswith(\"merged:\")) then (.personalNotes | ltrimstr(\"merged:\")) else null end\n";
        text.replace("reconcile:\n", &format!("reconcile:\n{field}"))
    });
    let run = async || {
        let with = ["--all", "--modules", "modules"];
        world.run_sync(&with).await.expect(0).module("clients")
    };
    let says = async |id: &str, notes: Value| {
        let patch = json!({ "op": "patch", "kind": "client", "id": id, "value": { "personalNotes": notes } });
        world.edit(patch).await;
    };
    let comes = async |id: &str, notes: Value| {
        let record = json!({ "op": "upsert", "kind": "client", "id": id, "value": { "id": id, "companyName": id,
            "personalNotes": notes, "status": "ACTIVE", "tags": [], "createdAt": "2026-05-01T00:00:00Z", "updatedAt": "2026-05-01T00:00:00Z" } });
        world.edit(record).await;
    };
    world
        .sql(&format!(
            "update prod.clients set tags = array_append(tags, 'fidèle') where id = '{old}'"
        ))
        .await;
    let of_both = naming(&world, &old).await + naming(&world, &new).await;
    says(&old, into(&new)).await;
    comes("cli_born", into(&new)).await;
    comes("cli_waits", into("cli_later")).await;
    let line = run().await;
    assert_eq!(
        (&line["claims"]["tombstoned"], &line["claims"]["parked"]),
        (&json!(1), &json!(1)),
        "{line}"
    );
    for id in [old.as_str(), "cli_born"] {
        assert_eq!(who(&world, id).await, json!([new, "merged"]), "{id}");
    }
    assert_eq!(
        (naming(&world, &old).await, naming(&world, &new).await),
        (0, of_both)
    );
    assert!(
        client(&world, &new).await["tags"]
            .to_string()
            .contains("fidèle")
    );
    assert_eq!(client(&world, &old).await["deleted"], true);
    let none = living(&world, ["cli_born", "cli_waits"]).await;
    assert_eq!(none, 0, "they are no rows of their own");
    let steady = world.exact().await;
    run().await;
    assert_eq!(world.exact().await, steady, "it is merged once");
    comes("cli_later", Value::Null).await;
    run().await;
    assert_eq!(
        who(&world, "cli_waits").await,
        json!(["cli_later", "merged"])
    );
    // Two that name each other are one, and one of them lives.
    comes("cli_this", Value::Null).await;
    comes("cli_that", Value::Null).await;
    run().await;
    says("cli_this", into("cli_that")).await;
    says("cli_that", into("cli_this")).await;
    run().await;
    assert_eq!(living(&world, ["cli_this", "cli_that"]).await, 1);
    says(&old, Value::Null).await;
    run().await;
    assert_eq!(who(&world, &old).await, json!([old, "unmerged"]));
    assert_eq!(client(&world, &old).await["deleted"], false);
    assert_eq!(
        naming(&world, &old).await + naming(&world, &new).await,
        of_both
    );
    let steady = world.exact().await;
    run().await;
    assert_eq!(world.exact().await, steady);
    world.concord(&["doctor", "--offline"]).await.expect(0);
}
