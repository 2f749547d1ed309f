//! What people decide makes the model better by itself.

use serde_json::{Value, json};

use super::people::{records, world_with};
use crate::world::World;

/// Customers to train on: each stands twice, with another spelling.
fn customers() -> String {
    let given = ["Ann", "Luc", "Eve", "Guy", "Zoe", "Max", "Lea", "Tom"];
    let surnames = [
        "Roy", "Cote", "Gagnon", "Morin", "Lavoie", "Fortin", "Belanger",
    ];
    let line = |at: usize| {
        let person = at / 2;
        let (given, surname) = (given[person % 8], surnames[person % 7]);
        json!({
            "id": format!("c{at}"), "kind": "person", "first_name": given, "last_name": surname,
            "phone": format!("514 842-{:04}", 1000 + person), "street": format!("{} rue Fleury", 10 + person),
            "municipality": "Montreal", "postal_code": if at.is_multiple_of(2) { "H2H 2C7" } else { "" },
        })
    };
    (0..400).map(|at| line(at).to_string() + "\n").collect()
}

/// Trains the module's model; what was told, and the model.
async fn trained(world: &World, more: &[&str]) -> (Value, String) {
    let folder = world.copy_module("clients");
    let (spec, model) = (folder.join("matching.yaml"), folder.join("new.json"));
    let file = folder.join("customers.jsonl");
    std::fs::write(&file, customers()).expect("a file of records");
    let [spec, model, file] = [&spec, &model, &file].map(|path| path.to_str().expect("a path"));
    let train = ["matching", "train", spec, file, "--model", model, "--json"];
    let told = world.concord(&[&train[..], more].concat()).await.expect(0);
    (
        told.json(),
        std::fs::read_to_string(model).expect("a model"),
    )
}

/// Whether any weight of a model was corrected.
fn is_corrected(model: &str) -> bool {
    let model: Value = serde_json::from_str(model).expect("JSON");
    let populations = model["populations"].as_array().expect("populations");
    populations.iter().any(|population| {
        population["shift"]
            .as_f64()
            .is_some_and(|shift| shift != 0.0)
    })
}

#[tokio::test]
async fn decisions_of_people_correct_the_next_model_and_stand_whatever_it_says() {
    let world = world_with(records()).await;
    let (none, plain) = trained(&world, &[]).await;
    assert_eq!(
        (&none["decisions"], &none["corrected"]),
        (&json!(0), &json!(false))
    );
    for (word, record) in [
        ("accept", "clients/cli_doubt"),
        ("reject", "clients/cli_spouse"),
    ] {
        let say = [
            "review", word, record, "--reason", "I asked.", "--actor", "nadia",
        ];
        world.concord(&say).await.expect(0);
    }
    world.run_sync(&["--module", "clients"]).await.expect(0);
    let (few, unmoved) = trained(&world, &[]).await;
    assert_eq!(
        (&few["decisions"], &few["labels"], &few["corrected"]),
        (&json!(2), &json!(2), &json!(false)),
        "two prove nothing: {few}"
    );
    assert_eq!(unmoved, plain);

    // Forty others that looked like these two, and one of which no score was shown; a word that was taken
    // back does not count.
    world
        .sql(
            "insert into ops.problems (kind, module, source_id, code, why, detail, state)
             select p.kind, p.module, p.source_id || n, p.code, p.why, p.detail, 'resolved'
             from ops.problems p, generate_series(1, 20) n where p.kind = 'review' and p.module = 'clients';
             insert into prod.links (source, module, source_id, entity, entity_id, is_same, author, reason, ended_at)
             select l.source, l.module, l.source_id || n, l.entity, l.entity_id, not l.is_same, l.author, l.reason,
                    case when n = 20 then now() end
             from prod.links l, generate_series(1, 20) n;
             insert into prod.links (source, module, source_id, entity, entity_id, is_same, author, reason)
             select source, module, 'cli_unseen', entity, entity_id, false, author, reason from prod.links
             where source_id = 'cli_doubt'",
        )
        .await;
    let links = "select to_jsonb(l) as link from prod.links l order by link_id";
    let said = world.rows(links).await;
    let (many, corrected) = trained(&world, &[]).await;
    assert_eq!(
        (
            &many["decisions"],
            &many["decisions_left_out"],
            &many["corrected"]
        ),
        (&json!(40), &json!(1), &json!(true)),
        "{many}"
    );
    assert!(is_corrected(&corrected) && !is_corrected(&plain));
    assert_eq!(world.rows(links).await, said, "what was said stands");
    let (without, same) = trained(&world, &["--without-decisions"]).await;
    assert_eq!((&without["labels"], same), (&json!(0), plain));
}

#[tokio::test]
async fn what_people_take_apart_is_learnt_from_and_only_by_the_specification_of_its_module() {
    let world = world_with(records()).await;
    let apart = [
        "unmerge",
        "clients/cli_typo",
        "--reason",
        "Her sister.",
        "--actor",
        "nadia",
    ];
    world.concord(&apart).await.expect(0);
    let (told, _) = trained(&world, &[]).await;
    assert_eq!(
        (
            &told["module"],
            &told["decisions"],
            &told["decisions_left_out"]
        ),
        (&json!("clients"), &json!(1), &json!(0)),
        "{told}"
    );
    // One line more, and it is nobody's.
    let folder = world.copy_module("clients");
    let text = std::fs::read_to_string(folder.join("matching.yaml")).expect("a specification");
    let [spec, file, model] = ["other.yaml", "customers.jsonl", "other.json"].map(|name| {
        let path = folder.join(name);
        path.to_str().expect("a path").to_owned()
    });
    std::fs::write(&spec, text + "\n").expect("a specification");
    std::fs::write(&file, customers()).expect("a file of records");
    let train = ["matching", "train", &spec, &file, "--model", &model];
    let told = world.concord(&train).await.expect(0);
    assert!(
        told.stdout
            .contains("No module has this very specification"),
        "{}",
        told.stdout
    );
}
