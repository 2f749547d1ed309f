//! Records that refer to records of their own module, and modules that refer to each other, land in one run.

use serde_json::{Value, json};

use crate::world::{ListModule, ListWorld};

/// People with a boss among them.
fn people(missing: &str) -> ListModule {
    let references = format!(
        "references: {{ boss: {{ to: people, missing: {missing} }}, deputy: {{ to: people, missing: {missing} }} }}"
    );
    ListModule::new("people", &["name text", "boss text", "deputy text"])
        .with(&references)
        .with("placeholder: { name: 'Unknown ({id})' }")
}

/// How a boss is found among so many people.
type Shape = fn(usize, usize) -> Option<usize>;

/// A chain down, a ring, one boss of all who is listed last; a chain up and a scattered order, tried with
/// many people too.
const SHAPES: [(&str, Shape); 5] = [
    ("each after its boss", |n, _| n.checked_sub(1)),
    ("a ring", |n, all| Some((n + 1) % all)),
    ("one boss, listed last", |n, all| {
        (n + 1 < all).then_some(all - 1)
    }),
    ("each before its boss", |n, all| {
        (n + 1 < all).then_some(n + 1)
    }),
    ("scattered", |n, all| (n > 0).then_some((n * 37 + 11) % all)),
];

/// The people, their ids as numbers in four digits, so that they sort as they are listed.
fn listed(shape: Shape, all: usize) -> Vec<Value> {
    let id = |n: usize| format!("e{n:04}");
    (0..all)
        .map(|n| json!({ "id": id(n), "name": format!("N{n}"), "boss": shape(n, all).map(id) }))
        .collect()
}

const ROWS: &str = "select id, name, boss from prod.people where not is_placeholder and deleted_at is null order by id";

/// One run lands every person with its boss, makes up nobody, and the next one has nothing to do.
async fn lands_in_one_run(missing: &str, all: usize, shapes: &[(&str, Shape)]) {
    for (label, shape) in shapes {
        let world = ListWorld::new(&[people(missing)]).await;
        let records = listed(*shape, all);
        world.lists.set("people", json!(records));
        let line = world.run().await.expect(0).module("people");
        let label = format!("{missing}, {all} people, {label}");
        assert_eq!(line["state"], "OK", "{label}: {line}");
        let expected: Value = records
            .iter()
            .map(|p| json!([p["id"], p["name"], p["boss"]]))
            .collect();
        assert_eq!(
            world.count("select count(*) from prod.people").await,
            all as i64,
            "{label}"
        );
        assert_eq!(world.values(ROWS).await, expected, "{label}");
        let head = world.head().await;
        world.run().await.expect(0);
        assert_eq!(world.head().await, head, "{label}: nothing is left to do");
    }
}

#[tokio::test]
async fn with_placeholders_every_record_is_one_row() {
    lands_in_one_run("placeholder", 6, &SHAPES).await;
}

#[tokio::test]
async fn with_placeholders_four_hundred_records_are_four_hundred_rows() {
    lands_in_one_run("placeholder", 400, &SHAPES[3..]).await;
}

#[tokio::test]
async fn with_parking_every_level_lands_in_one_run() {
    lands_in_one_run("park", 6, &SHAPES).await;
    lands_in_one_run("park", 400, &SHAPES[3..]).await;
}

#[tokio::test]
async fn unlinked_and_linked_again_in_one_run_is_no_change_to_be_asked_about() {
    lands_in_one_run("unlink", 6, &SHAPES).await;
    lands_in_one_run("unlink", 400, &SHAPES[3..]).await;
}

#[tokio::test]
async fn more_people_than_a_batch_holds_land_in_one_run() {
    for missing in ["placeholder", "park", "unlink"] {
        lands_in_one_run(missing, 1_500, &SHAPES[4..]).await;
    }
}

#[tokio::test]
async fn two_references_to_the_own_module_land_together() {
    for missing in ["placeholder", "park", "unlink"] {
        let world = ListWorld::new(&[people(missing)]).await;
        let mut records = listed(|n, all| Some((n * 37 + 11) % all), 60);
        for n in 0..60 {
            records[n]["deputy"] = records[(n * 23 + 5) % 60]["id"].clone();
        }
        world.lists.set("people", json!(records));
        world.run().await.expect(0);
        let linked =
            "select count(*), count(boss), count(deputy) from prod.people where not is_placeholder";
        assert_eq!(
            world.values(linked).await,
            json!([[60, 60, 60]]),
            "{missing}"
        );
    }
}

#[tokio::test]
async fn a_boss_who_is_never_listed_stops_nobody_else() {
    for (missing, expected) in [
        ("placeholder", [7, 5, 0]),
        ("park", [4, 3, 2]),
        ("unlink", [6, 4, 0]),
    ] {
        let world = ListWorld::new(&[people(missing)]).await;
        let person = |id: &str, boss: Option<&str>| json!({ "id": id, "name": id, "boss": boss });
        world.lists.set(
            "people",
            json!([
                person("e0", None),
                person("e1", Some("e0")),
                person("e2", Some("e1")),
                person("e3", Some("e2")),
                person("w1", Some("nobody")),
                person("w2", Some("w1")),
            ]),
        );
        world.run().await.expect(0);
        let waiting = "select count(distinct source_id) from ops.problems where kind = 'parking' and state = 'open'
            and not coalesce((detail ->> 'landed')::boolean, false)";
        let found = [
            world.count("select count(*) from prod.people").await,
            world.count("select count(boss) from prod.people").await,
            world.count(waiting).await,
        ];
        assert_eq!(found, expected, "{missing}: rows, bosses, parked");
    }
}

/// Two modules whose records refer to each other, pair by pair.
async fn pairs(missing: &str, all: usize, partner: fn(usize, usize) -> usize) -> ListWorld {
    let module = |name: &str, to: &str| {
        ListModule::new(name, &["name text", "partner text"])
            .refers("partner", to, missing)
            .with("placeholder: { name: 'Unknown ({id})' }")
    };
    let world = ListWorld::new(&[module("hens", "eggs"), module("eggs", "hens")]).await;
    let hen = |n: usize| json!({ "id": format!("h{n}"), "name": format!("H{n}"), "partner": format!("e{}", partner(n, all)) });
    let egg = |n: usize| json!({ "id": format!("e{n}"), "name": format!("E{n}"), "partner": format!("h{}", partner(n, all)) });
    world.lists.set("hens", (0..all).map(hen).collect());
    world.lists.set("eggs", (0..all).map(egg).collect());
    world
}

#[tokio::test]
async fn two_modules_that_refer_to_each_other_land_on_their_first_load() {
    for missing in ["park", "placeholder", "unlink"] {
        for partner in [|n, _| n, |n, all| (n + 1) % all] {
            let world = pairs(missing, 40, partner).await;
            world.run().await.expect(0);
            world.run().await.expect(0);
            for table in ["hens", "eggs"] {
                let linked = format!(
                    "select count(*), count(partner), count(*) filter (where is_placeholder) from prod.{table}"
                );
                assert_eq!(
                    world.values(&linked).await,
                    json!([[40, 40, 0]]),
                    "{missing}: {table}"
                );
            }
            let head = world.head().await;
            world.run().await.expect(0);
            assert_eq!(world.head().await, head, "{missing}: nothing is left to do");
        }
    }
}
