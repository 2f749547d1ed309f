//! A run killed at any point of its road, then one clean run: production as if nothing had happened.

use crate::world::World;
use standin::Options;

/// Small pages, so that a read has several groups of them.
async fn world() -> World {
    World::new(Options {
        timeline: Some(200),
        page_cap: 3,
        ..Options::small()
    })
    .await
}

/// Kills the first run there, runs again, and compares with a world in which nobody was killed.
async fn outlives(points: &[&str]) {
    let untouched = world().await;
    untouched.run_sync(&["--all"]).await.expect(0);
    let expected = untouched.production().await;
    for point in points {
        let world = world().await;
        world.kill_at(point, &["--all"]).await;
        let answer = world.run_sync(&["--all"]).await.expect(0);
        assert_eq!(world.production().await, expected, "killed at {point}");
        let runs = world.runs().await;
        let killed = runs
            .iter()
            .find(|run| run["state"] == "FAILED")
            .unwrap_or_else(|| panic!("{point}: {runs:?}"));
        let cause = killed["cause"].as_str().expect("a cause");
        assert!(cause.contains("ended before"), "{point}: {cause}");
        let module = killed["module"].as_str().expect("a name");
        assert_eq!(answer.module(module)["resumed"], true, "{point}");
        let failed = runs.iter().filter(|run| run["state"] == "FAILED").count();
        let running = runs.iter().filter(|run| run["state"] == "RUNNING").count();
        assert_eq!((failed, running), (1, 0), "{point}: {runs:?}");
        let steady = (world.exact().await, world.history().await);
        world.run_sync(&["--all"]).await.expect(0);
        assert_eq!(
            (world.exact().await, world.history().await),
            steady,
            "killed at {point}, run twice"
        );
    }
}

#[tokio::test]
async fn kill_9_before_and_between_pages_loses_nothing() {
    outlives(&["opened", "fetched", "fetched:2", "staging"]).await;
}

#[tokio::test]
async fn kill_9_while_staging_loses_nothing() {
    outlives(&["staging:3", "staged", "staged:3", "closing"]).await;
}

#[tokio::test]
async fn kill_9_around_the_promotion_loses_nothing() {
    outlives(&["read", "reconciled", "committing", "promoted"]).await;
}

#[tokio::test]
async fn kill_9_in_a_later_module_loses_nothing() {
    outlives(&["reconciled:5", "committing:3", "promoted:6", "closing:2"]).await;
}

#[tokio::test]
async fn a_killed_run_leaves_its_pages_and_goes_on_behind_them() {
    let world = world().await;
    world
        .kill_at("staged:2", &["--module", "users", "--module", "clients"])
        .await;
    let staged = world.staged_of("clients").await;
    assert!(
        staged > 0 && staged < 40,
        "some pages were staged: {staged}"
    );
    let answer = world
        .run_sync(&["--module", "users", "--module", "clients"])
        .await
        .expect(0);
    let line = answer.module("clients");
    assert_eq!(
        line["staged"]["fetched"],
        40 - staged,
        "what is staged is not asked for again: {line}"
    );
    assert_eq!(
        line["complete"], true,
        "and the pass is whole all the same: {line}"
    );
}
