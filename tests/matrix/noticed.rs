//! What is kept and said of answers that were none, or the one before once more.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_page_that_a_proxy_repeats_is_noted_and_the_run_goes_on() {
    let world = World::new(standin::Options {
        page_cap: 4,
        ..standin::Options::small()
    })
    .await;
    let stale =
        json!({ "name": "stale_answer", "after": 2, "times": 2, "operation": "allClients" });
    world.fault(stale).await;
    let modules = ["--module", "users", "--module", "clients"];
    let answer = world.run_sync(&modules).await.expect(0);
    let line = answer.module("clients");
    assert_eq!(
        (&line["complete"], &line["staged"]["fetched"]),
        (&json!(true), &json!(40)),
        "each page once: {line}"
    );
    let shown = world.concord(&["runs", "--run", "2"]).await.expect(0);
    assert!(
        shown
            .stdout
            .contains("2 answers were the page before once more"),
        "{}",
        shown.stdout
    );
    world.run_sync(&modules).await.expect(0);
    let shown = world.concord(&["runs", "--run", "4"]).await.expect(0);
    assert!(!shown.stdout.contains("once more"), "{}", shown.stdout);
}

#[tokio::test]
async fn what_came_in_place_of_an_answer_is_kept_with_the_run_that_it_ended() {
    let world = World::small().await;
    let modules = ["--module", "users", "--module", "clients"];
    world.run_sync(&modules).await.expect(0);
    let clients = ["--module", "clients"];
    for (fault, kept) in [
        (
            json!({ "name": "maintenance_page" }),
            "<h1>Nous revenons bientôt</h1>",
        ),
        (
            json!({ "name": "truncated_body", "operation": "allClients" }),
            "{\"data\":{\"allClients\":{\"nodes\":[",
        ),
    ] {
        world.fault(fault.clone()).await;
        let answer = world.run_sync(&clients).await.expect(75);
        let line = answer.module("clients");
        let run = line["run_id"].to_string();
        let cause = line["cause"].as_str().expect("a cause");
        assert!(
            cause.contains(&format!("`concord runs --run {run}`")),
            "{cause}"
        );
        let shown = world.concord(&["runs", "--run", &run]).await.expect(0);
        assert!(shown.stdout.contains(kept), "{fault}: {}", shown.stdout);
        assert!(!shown.stdout.contains(standin::API_KEY), "{}", shown.stdout);
        world.clear_faults().await;
    }
    // One that passed is nothing to keep.
    world
        .fault(json!({ "name": "maintenance_page", "times": 1, "operation": "allClients" }))
        .await;
    let answer = world.run_sync(&clients).await.expect(0);
    let run = answer.module("clients")["run_id"].to_string();
    let shown = world.concord(&["runs", "--run", &run]).await.expect(0);
    assert!(
        !shown.stdout.contains("in place of an answer"),
        "{}",
        shown.stdout
    );
    let shown = world.concord(&["runs", "--run", "99"]).await.expect(0);
    assert!(shown.stdout.contains("no steps"), "{}", shown.stdout);
}
