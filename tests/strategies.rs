//! How much of a stream a regular run reads: a window around now, the newest alone, and everything now and
//! then.

use serde_json::{Value, json};

use crate::world::World;

const LAST: &str =
    "select to_jsonb(r) from ops.runs r where strategy <> 'staged' order by run_id desc limit 1";

async fn ask(world: &World, arguments: &[&str]) {
    let own = ["--modules", "modules"];
    world.run_sync(&[&own, arguments].concat()).await.expect(0);
}

/// One run of a module and its record, which says what was really asked.
async fn run(world: &World, module: &str) -> Value {
    ask(world, &["--module", module]).await;
    world.value(LAST).await
}

fn instant(value: &Value) -> jiff::Timestamp {
    let text = value.as_str().expect("an instant");
    text.parse().expect("RFC 3339")
}

/// Whole days from one instant to a later one; the moment between two statements does not count.
fn days(from: jiff::Timestamp, until: jiff::Timestamp) -> i64 {
    (until.duration_since(from).as_hours() + 1) / 24
}

#[tokio::test]
async fn a_window_is_read_around_now_and_widened_by_the_time_without_runs() {
    let world = World::new(standin::Options {
        now: jiff::Timestamp::now(),
        ..standin::Options::small()
    })
    .await;
    let folder = world.copy_module("appointments");
    world.edit_file(&folder.join("query.graphql"), |text| {
        text.replacen(
            "$after: String)",
            "$after: String, $startOn: CoreDate, $endOn: CoreDate)",
            1,
        )
        .replacen(
            "after: $after)",
            "after: $after, filters: { startOn: $startOn, endOn: $endOn })",
            1,
        )
    });
    world.edit_file(&folder.join("module.yaml"), |text| {
        let window = "read: window\n  window: { variable: startOn, until: endOn, as: date, reach: fast }\n  full_every: 200d";
        text.replacen("read: full", window, 1)
    });
    for module in ["users", "clients", "pianos"] {
        ask(&world, &["--module", module]).await;
    }
    let first = run(&world, "appointments").await;
    assert_eq!(
        first["strategy"], "full",
        "what was never read is read whole"
    );
    let second = run(&world, "appointments").await;
    assert_eq!(second["strategy"], "window");
    assert_eq!(second["complete"], true);
    let selection = &second["selection"];
    let (from, until) = (instant(&selection["since"]), instant(&selection["until"]));
    assert_eq!(days(from, until), 37, "7 days back, 30 ahead");
    let day = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let (first_day, last_day) = (day(from), day(until));
    let held = world
        .count(&format!(
            "select count(*) from staging.stg_appointments
             where (payload ->> 'start')::timestamptz between '{first_day}' and '{last_day}T23:59:59Z'"
        ))
        .await;
    let all = first["fetched"].as_i64().expect("a number");
    assert_eq!(
        second["fetched"],
        json!(held),
        "those of the window, and no others"
    );
    assert!(0 < held && held < all, "{held} of {all}");
    let gone = "select count(*) from prod.appointments where deleted_at is not null";
    assert_eq!(
        world.count(gone).await,
        0,
        "what lies outside is not deleted"
    );

    // Nobody ran it for a hundred days.
    let age = "update staging.passes set started_at = started_at - interval '100 days'";
    world.sql(age).await;
    let third = run(&world, "appointments").await;
    assert_eq!(days(instant(&third["selection"]["since"]), from), 100);
    // The last reading of everything is older than is allowed.
    world.sql(age).await;
    world.sql(age).await;
    assert_eq!(run(&world, "appointments").await["strategy"], "full");
    assert_eq!(run(&world, "appointments").await["strategy"], "window");
    let health = world.concord(&["status", "--json"]).await.expect(0).json();
    let of = &health["modules"]["appointments"];
    assert!(
        of["last_full"].is_string() && of["last_sync"].is_string(),
        "{of}"
    );
}

#[tokio::test]
async fn the_newest_are_read_until_everything_is_known() {
    let world = World::small().await;
    let folder = world.copy_module("timeline");
    world.edit_file(&folder.join("module.yaml"), |text| {
        let (before, after) = text.split_once("  read: since\n").expect("a strategy");
        let (_, after) = after.split_once("reconcile:").expect("the other part");
        format!(
            "{before}  read: newest_first\n  newest_first: {{ at: .occurredAt, column: occurred_at, overlap: 1d }}\n  \
             paging: {{ size: 20 }}\nreconcile:{after}"
        )
    });
    for module in ["users", "clients", "pianos"] {
        ask(&world, &["--module", module]).await;
    }
    let first = run(&world, "timeline").await;
    assert_eq!(first["strategy"], "full");
    let all = first["fetched"].as_i64().expect("a number");
    let newest =
        "select payload from staging.stg_timeline where payload ->> 'occurredAt' < now()::text
                  order by payload ->> 'occurredAt' desc limit 1";
    let mut added = world.value(newest).await;
    added["id"] = json!("tme_added");
    world
        .edit(json!({ "op": "upsert", "kind": "timeline", "id": "tme_added", "value": added }))
        .await;
    let second = run(&world, "timeline").await;
    assert_eq!(second["strategy"], "newest_first");
    assert_eq!(
        (&second["complete"], &second["new"]),
        (&json!(true), &json!(1))
    );
    let fetched = second["fetched"].as_i64().expect("a number");
    assert!(fetched < all / 2, "{fetched} of {all} were read");
    assert_eq!(fetched % 20, 0, "whole pages");
    let gone = "select count(*) from prod.timeline_entries where deleted_at is not null";
    assert_eq!(
        world.count(gone).await,
        0,
        "what was not asked for is not deleted"
    );
    let repeated = run(&world, "timeline").await;
    assert_eq!(
        (&repeated["new"], &repeated["promotion"]),
        (&json!(0), &Value::Null)
    );
    ask(&world, &["--module", "timeline", "--mode", "full"]).await;
    assert_eq!(world.value(LAST).await["fetched"], json!(all + 1));
}

#[tokio::test]
async fn a_strategy_without_its_block_and_a_column_that_is_none_are_refused() {
    let world = World::small().await;
    let folder = world.copy_module("users");
    for (strategy, says) in [
        ("read: window", "needs a `window` block"),
        ("read: newest_first", "needs a `newest_first` block"),
        ("read: full\n  full_every: often", "length of time"),
    ] {
        world.edit_file(&folder.join("module.yaml"), |text| {
            text.replacen("read: full", strategy, 1)
        });
        let answer = world
            .run_sync(&["--module", "users", "--modules", "modules"])
            .await
            .expect(2);
        assert!(
            answer.stderr.contains(says) && answer.stderr.contains("module.yaml:"),
            "{}",
            answer.stderr
        );
        world.edit_file(&folder.join("module.yaml"), |text| {
            text.replacen(strategy, "read: full", 1)
        });
    }
}

#[tokio::test]
async fn modules_that_run_side_by_side_land_the_same() {
    let (one_by_one, abreast) = (World::small().await, World::small().await);
    abreast.edit_file(&abreast.folder().join("concord.toml"), |text| {
        text.replacen(
            "[sources.gazelle]\n",
            "[sources.gazelle]\nmodules_at_once = 3\n",
            1,
        )
    });
    let overlaps = "select count(*) from ops.runs a join ops.runs b
                    on a.run_id < b.run_id and b.started_at < a.finished_at";
    for (world, is_abreast) in [(&one_by_one, false), (&abreast, true)] {
        let names: Vec<String> = world
            .run_sync(&["--all"])
            .await
            .expect(0)
            .states()
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names[..4], ["users", "clients", "pianos", "appointments"]);
        assert_eq!(world.count(overlaps).await > 0, is_abreast);
    }
    assert_eq!(abreast.production().await, one_by_one.production().await);
}
