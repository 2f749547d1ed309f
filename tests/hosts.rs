//! Two hosts, each with a data directory of its own, ask one source and write to one database.

use serde_json::{Value, json};
use standin::Options;

use crate::world::{Answer, World};

const WHOLE: i64 = fetcher::RateShare::WHOLE as i64;

/// A `run_sync` of another host: nothing is shared but the source and the database.
async fn elsewhere(world: &World, arguments: &[&str]) -> Answer {
    let mut command = world.command(env!("CARGO_BIN_EXE_run_sync"));
    let folder = world.folder().join("elsewhere");
    command.env("CONCORD_DATA_DIR", folder).arg("--json");
    Answer::of(command.args(arguments)).await
}

/// One record to a page, so that records are requests.
fn options() -> Options {
    Options {
        clients: Some(250),
        pianos: Some(250),
        timeline: Some(10),
        page_cap: 1,
        ..Options::small()
    }
}

#[tokio::test]
async fn two_hosts_keep_one_limit_together() {
    let world = World::new(options()).await;
    let limit = json!({ "kind": "sliding", "limit": 100, "window_seconds": 1, "says": "ietf" });
    world
        .fault(json!({ "name": "rate_limit", "value": limit }))
        .await;
    let parts =
        "select from_part, to_part from ops.shares where expires_at > now() order by from_part";
    let runs = async {
        let here = world.run_sync(&["--module", "clients"]);
        let there = elsewhere(&world, &["--module", "pianos"]);
        tokio::join!(here, there)
    };
    tokio::pin!(runs);
    let mut both = false;
    let (here, there) = loop {
        let rows = tokio::select! {
            ended = &mut runs => break ended,
            rows = world.rows(parts) => rows,
        };
        let edge = |row: &Value, name: &str| row[name].as_i64().expect("a number");
        let held: Vec<[i64; 2]> = rows
            .iter()
            .map(|row| [edge(row, "from_part"), edge(row, "to_part")])
            .filter(|[from, to]| to > from)
            .collect();
        let apart = held.windows(2).all(|pair| pair[0][1] <= pair[1][0]);
        assert!(apart, "no request is permitted twice: {held:?}");
        both |= held == [[0, WHOLE / 2], [WHOLE / 2, WHOLE]];
    };
    here.expect(0);
    there.expect(0);
    assert!(both, "each had half of it while both asked");
    let stats = world.source.stats().await;
    println!("{stats}");
    let number = |name: &str| stats[name].as_i64().expect("a number");
    assert!(number("requests") >= 500, "{stats}");
    // A machine that is busy with other things delivers some of them late, and so in another window than they
    // were sent for; in simulated time none is refused. Two hosts with the whole limit each would have every
    // second one refused.
    assert!(number("throttled") * 100 <= number("requests"), "{stats}");
    let staged = world.staged_of("clients").await + world.staged_of("pianos").await;
    assert_eq!(staged, 500);
}

/// Why another host waits, which asks the source nothing.
async fn held_back(world: &World) -> String {
    let asked = world.source.stats().await["requests"].clone();
    let other = elsewhere(world, &["--module", "users"]).await.expect(75);
    assert_eq!(
        world.source.stats().await["requests"],
        asked,
        "nobody asks meanwhile"
    );
    let line = other.module("users");
    line["cause"].as_str().expect("a cause").to_owned()
}

#[tokio::test]
async fn a_pause_asked_of_one_host_holds_the_others() {
    let world = World::small().await;
    world
        .fault(json!({ "name": "too_many_requests", "value": 600 }))
        .await;
    world.run_sync(&["--module", "users"]).await.expect(75);
    let cause = held_back(&world).await;
    assert!(
        cause.contains("slow down") || cause.contains("wait"),
        "{cause}"
    );
    // The source would answer again, and has asked for ten minutes all the same.
    world.clear_faults().await;
    held_back(&world).await;
}

#[tokio::test]
async fn a_source_that_fails_one_host_is_left_alone_by_all() {
    let world = World::small().await;
    let file = world.folder().join("concord.toml");
    world.edit_file(&file, |text| {
        text.replace("failures = 1000", "failures = 1")
    });
    world.fault(json!({ "name": "server_error" })).await;
    world.run_sync(&["--module", "users"]).await.expect(75);
    let cause = held_back(&world).await;
    assert!(
        cause.contains("circuit breaker is open since") && cause.contains("503"),
        "{cause}"
    );
}
