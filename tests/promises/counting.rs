//! One answer to "how many are parked".

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

/// Children whose parents are missing, some of which a rule sets aside as well.
async fn children(missing: &str) -> ListWorld {
    let rule =
        "rules: [ { code: odd, when: '.name == \"odd\"', severity: quarantine, why: It is odd. } ]";
    let kids = ListModule::new("kids", &["name text", "parent_id text", "friend_id text"]).with(rule).with(&format!(
        "references: {{ parent_id: {{ to: parents, missing: {missing} }}, friend_id: {{ to: parents, missing: {missing} }} }}"
    ));
    let world = ListWorld::new(&[ListModule::new("parents", &["name text"]), kids]).await;
    world
        .lists
        .set("parents", json!([{ "id": "p0", "name": "P0" }]));
    let kid = |id: &str, name: &str, parent: &str, friend: &str| json!({ "id": id, "name": name, "parent_id": parent, "friend_id": friend });
    world.lists.set(
        "kids",
        json!([
            kid("linked", "fine", "p0", "p0"),
            kid("one", "fine", "nobody", "p0"),
            kid("both", "fine", "nobody", "no one"),
            kid("odd", "odd", "nobody", "p0"),
            kid("odd as well", "odd", "p0", "p0"),
        ]),
    );
    world
}

/// How many are parked: of the run, in its cause, by `status`, by `parking list`, and by their own count.
async fn parked(world: &ListWorld) -> [Value; 4] {
    let line = world.run().await.expect(0).module("kids");
    let cause = line["cause"].as_str().unwrap_or_default();
    let of_cause = cause
        .split_once(" parked")
        .map_or("0", |(before, _)| before.rsplit(' ').next().unwrap_or("0"));
    let status = world.concord(&["status", "--json"]).await.expect(0).json();
    let listed = world
        .concord(&["parking", "list", "--json"])
        .await
        .expect(0)
        .json();
    let of_module = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter(|problem| problem["module"] == "kids");
    let records: std::collections::BTreeSet<&str> = of_module
        .filter_map(|problem| problem["source_id"].as_str())
        .collect();
    [
        line["claims"]["parked"].clone(),
        json!(of_cause.parse::<u32>().expect("a number")),
        status["modules"]["kids"]["parked"].clone(),
        json!(records.len()),
    ]
}

#[tokio::test]
async fn the_run_its_cause_the_status_and_the_list_agree_how_many_are_parked() {
    for (missing, expected) in [("park", 2), ("unlink", 0)] {
        let world = children(missing).await;
        let answers = parked(&world).await;
        assert_eq!(
            answers,
            [(); 4].map(|()| json!(expected)),
            "missing: {missing}"
        );
        // In a second run the records are not taken up again; what waits is the same.
        let [_, cause, status, list] = parked(&world).await;
        assert_eq!(
            [cause, status, list],
            [(); 3].map(|()| json!(expected)),
            "missing: {missing}, again"
        );
    }
}

#[tokio::test]
async fn nobody_is_parked_any_more_once_the_parents_have_come() {
    let world = children("park").await;
    world.run().await.expect(0);
    for parent in ["nobody", "no one"] {
        world
            .lists
            .add("parents", json!({ "id": parent, "name": parent }));
    }
    world.run().await.expect(0);
    let [_, cause, status, list] = parked(&world).await;
    assert_eq!([cause, status, list], [(); 3].map(|()| json!(0)));
    assert_eq!(world.count("select count(*) from prod.kids").await, 3);
}
