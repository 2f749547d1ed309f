//! Faults of the database, in the middle of whole runs: each ends as promised, nothing is asked of the source
//! twice, and production is what the source says.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::postgres::PgPoolOptions;

use super::line::{Line, Then};
use super::oracle::Trial;
use crate::world::Answer;

/// Every backend of the programs in this database.
pub const KILL: &str = "select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'concord'";

/// What is said in the transaction that stages pages, and in the one that promotes.
pub const PAGE: &str = "insert into staging.pages";
pub const PROMOTION: &str = "commit the promotion";

/// A world whose programs reach the database over a line that can be broken.
pub struct Scene {
    pub trial: Trial,
    pub line: Line,
    /// Requests of a run that nothing disturbs.
    pub calm: i64,
}

impl Scene {
    /// Pages of at most so many clients; `database` is added to the configuration's section.
    pub async fn set(page_cap: usize, database: &str) -> Scene {
        Scene::of(Trial::paged(page_cap).await, database).await
    }

    async fn of(mut trial: Trial, database: &str) -> Scene {
        let line = Line::before(&trial.world.database.url).await;
        trial.world.database.url = line.url(&trial.world.database.url);
        let section = format!("\n[database]\naway_seconds = 60\n{database}");
        let mut trial = trial.reconfigure(|text| format!("{text}{section}"));
        trial.change().await;
        trial.change().await;
        trial.run().await.expect(0);
        trial.change().await;
        let before = requests(&trial).await;
        trial.run().await.expect(0);
        let calm = requests(&trial).await - before;
        Scene { trial, line, calm }
    }

    /// One run while `act` goes on beside it; what it answered, and how many requests it made.
    pub async fn run_beside(&self, act: impl Future<Output = ()>) -> (Answer, i64) {
        let before = requests(&self.trial).await;
        let (answer, ()) = tokio::join!(self.trial.run(), act);
        (answer, requests(&self.trial).await - before)
    }

    /// Waits until the source has been read to its end.
    pub async fn source_is_read(&self, before: i64) {
        while requests(&self.trial).await < before + self.calm {
            tokio::task::yield_now().await;
        }
    }

    async fn resumed(&self) -> Value {
        self.trial.world.last_run().await["resumed"].take()
    }
}

pub async fn requests(trial: &Trial) -> i64 {
    trial.world.source.stats().await["requests"]
        .as_i64()
        .expect("a number")
}

/// The server stops at once and loses what it had not written yet; pages that it had taken are given to it
/// again.
#[tokio::test]
async fn a_server_that_forgets_its_last_commits_is_told_again() {
    let folder = crate::world::open_folder();
    let server = staging::embedded::start(folder.path()).await;
    let server = server.expect("a server of its own");
    let mut world = crate::world::World::new(standin::Options {
        timeline: Some(20),
        page_cap: 4,
        ..standin::Options::small()
    })
    .await;
    world.database.url = server.options().to_url_lossy().to_string();
    world.database.pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_lazy_with(server.options().options([("timezone", "UTC")]));
    // Nothing is written before somebody asks for it.
    world.sql("alter system set wal_writer_delay = '10s'").await;
    world.sql("select pg_reload_conf()").await;
    let mut scene = Scene::of(Trial::in_world(world).await, "").await;
    scene.trial.change().await;
    let before = requests(&scene.trial).await;
    let data = scene
        .trial
        .world
        .value("current_setting('data_directory')")
        .await;
    let data = std::path::PathBuf::from(data.as_str().expect("a folder"));
    scene.trial.configure(few_ahead(&scene.trial));
    scene.line.at_commit(3, PAGE, Then::Away);
    let (sender, restarted) = tokio::sync::oneshot::channel();
    let beside = async {
        scene.line.happened().await;
        let pid = std::fs::read_to_string(data.join("postmaster.pid")).expect("a server");
        let pid = pid.lines().next().and_then(|pid| pid.parse().ok());
        let pid = pid.and_then(Pid::from_raw).expect("a number");
        kill_process(pid, Signal::QUIT).expect("a signal");
        scene.source_is_read(before).await;
        let again = staging::embedded::start(folder.path()).await;
        // As a rule all three; what somebody else made it write meanwhile it still has, and nothing differs
        // then.
        let left = "select count(*) from staging.pages where pass_id = (select max(pass_id) from staging.passes)";
        let left = scene.trial.world.count(left).await;
        println!("of 3 pages that it took, the server still has {left}");
        scene.line.go_on();
        assert!(sender.send(again.expect("it recovers")).is_ok());
    };
    let (answer, asked) = scene.run_beside(beside).await;
    let line = answer.expect(0).module("clients");
    assert_eq!(
        (&line["resumed"], asked),
        (&true.into(), scene.calm),
        "{line}"
    );
    assert_eq!(line["staged"]["fetched"], 42, "{line}");
    scene.trial.agrees("stopped at once").await;
    scene.trial.world.database.pool.close().await;
    drop(scene);
    let again = restarted.await.expect("it was started again");
    drop(server);
    again.release().await.expect("it stops");
}

/// Files below the spool's folder.
pub fn spooled(trial: &Trial) -> usize {
    std::fs::read_dir(trial.world.folder().join("concord-data/spool"))
        .map_or(0, |entries| entries.count())
}

/// Whichever commit is lost, or committed without an answer: the run goes on, marked as resumed, asks the
/// source for nothing twice and writes nothing twice.
async fn breaks_commit_by_commit(then: Then) {
    let mut scene = Scene::set(15, "").await;
    for n in 1.. {
        let label = format!("{then:?} at commit {n}");
        scene.trial.change().await;
        scene.line.at_commit(n, "", then);
        let (answer, asked) = scene.run_beside(async {}).await;
        let answer = answer.expect(0);
        let happened = scene.line.go_on();
        scene.trial.agrees(&label).await;
        assert_eq!(asked, scene.calm, "{label}: {}", answer.stdout);
        let promotions = scene.trial.world.promotions().await;
        let twice = |pair: &[Value]| pair[0]["run_id"] == pair[1]["run_id"];
        assert!(!promotions.windows(2).any(twice), "{label}");
        let line = answer.module("clients");
        assert_eq!(line["claims"]["inserted"], 1, "{label}: {line}");
        assert_eq!(spooled(&scene.trial), 0, "{label}: the spool is used up");
        if !happened {
            assert!(n > 8, "{label}: too few commits for a whole run");
            break;
        }
    }
}

#[tokio::test]
async fn whichever_commit_is_lost_the_run_goes_on() {
    breaks_commit_by_commit(Then::Lost).await;
}

#[tokio::test]
async fn whichever_commit_is_not_answered_the_run_goes_on() {
    breaks_commit_by_commit(Then::Unanswered).await;
}

/// What happens beside a run at a point, and afterwards.
enum Act {
    /// The line is cut and comes back when the source has been read.
    Away,
    /// Statements now, and others when the source has been read.
    Sql(&'static str, &'static str),
}

#[rustfmt::skip]
fn outages() -> Vec<(&'static str, &'static str, usize, &'static str, Act)> {
    vec![
        ("D1", "away as the run opens", 1, "", Act::Away),
        ("D1", "away at the first page", 1, PAGE, Act::Away),
        ("D1", "away at a later page", 2, PAGE, Act::Away),
        ("D1", "away as the pass is closed", 1, "set state = case when strategy", Act::Away),
        ("D1", "away at the promotion's commit", 1, PROMOTION, Act::Away),
        ("D1", "away as the run ends", 1, "update ops.runs set state = $2", Act::Away),
        ("D6", "every connection killed at a page", 1, PAGE, Act::Sql("", "")),
        ("D6", "every connection killed at the promotion's commit", 1, PROMOTION, Act::Sql("", "")),
        ("D6", "read-only for a while", 1, PAGE, Act::Sql(
            "do $$ begin execute format('alter database %I set default_transaction_read_only = on', current_database()); end $$",
            "begin read write; do $$ begin execute format('alter database %I reset default_transaction_read_only', current_database()); end $$; commit")),
    ]
}

#[tokio::test]
async fn while_the_database_is_away_the_source_is_read_on_and_nothing_is_asked_twice() {
    let mut scene = Scene::set(4, "").await;
    for (name, what, commit, says, act) in outages() {
        let label = format!("{name} {what}");
        scene.trial.change().await;
        let before = requests(&scene.trial).await;
        let world = &scene.trial.world;
        scene.line.at_commit(
            commit,
            says,
            match act {
                Act::Away => Then::Away,
                Act::Sql(..) => Then::Held,
            },
        );
        let beside = async {
            scene.line.happened().await;
            if let Act::Sql(now, _) = act {
                world.sql(now).await;
                world.sql(KILL).await;
                scene.line.go_on();
            }
            // What is written before the pages comes before anything is read.
            if says == PAGE {
                scene.source_is_read(before).await;
            }
            if let Act::Sql(_, afterwards) = act {
                world.sql(afterwards).await;
                world.sql(KILL).await;
            }
            scene.line.go_on();
        };
        let (answer, asked) = scene.run_beside(beside).await;
        let answer = answer.expect(0);
        scene.trial.agrees(&label).await;
        assert_eq!(asked, scene.calm, "{label}");
        let line = answer.module("clients");
        assert_eq!(
            (&line["resumed"], scene.resumed().await),
            (&true.into(), true.into()),
            "{label}"
        );
        assert_eq!(spooled(&scene.trial), 0, "{label}: the spool is used up");
        println!("{label}: {line}");
    }
}

/// Pages that came together are staged over two connections, of which neither may wait for long; somebody
/// else's lock is waited for all the same.
#[tokio::test]
async fn a_lock_on_what_is_staged_is_waited_for() {
    let mut scene = Scene::set(4, "").await;
    scene.trial.change().await;
    let before = requests(&scene.trial).await;
    let pool = scene.trial.world.database.pool.clone();
    scene.line.at_commit(1, PAGE, Then::Held);
    let ended = std::cell::Cell::new(false);
    let run = async {
        let answer = scene.trial.run().await;
        ended.set(true);
        answer
    };
    let waits = "select max(waitstart)::text from pg_locks
        where not granted and relation = 'staging.pages'::regclass and mode = 'RowExclusiveLock'";
    let beside = async {
        scene.line.happened().await;
        // The pages behind the first come together then.
        scene.source_is_read(before).await;
        let mut other = pool.begin().await.expect("a transaction");
        let asked = sqlx::raw_sql("lock table staging.pages in share mode").execute(&mut *other);
        let (asked, ()) = tokio::join!(asked, async {
            scene.line.go_on();
        });
        asked.expect("a lock");
        // A first attempt waits, gives way, and another one waits.
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 2 && !ended.get() {
            let since: Option<String> = sqlx::query_scalar(waits)
                .fetch_one(&pool)
                .await
                .expect("a time");
            seen.extend(since);
        }
        other.rollback().await.expect("an end");
    };
    let (answer, ()) = tokio::join!(run, beside);
    answer.expect(0);
    let asked = requests(&scene.trial).await - before;
    assert_eq!(asked, scene.calm, "nothing is asked twice");
    scene.trial.agrees("a lock on pages").await;
}

#[tokio::test]
async fn a_run_that_gives_up_leaves_its_pages_to_the_next() {
    let mut scene = Scene::set(4, "").await;
    scene
        .trial
        .configure(|text| text.replace("away_seconds = 60", "away_seconds = 1"));
    scene.trial.change().await;
    let before = requests(&scene.trial).await;
    scene.line.at_commit(1, PAGE, Then::Away);
    let (answer, asked) = scene.run_beside(async {}).await;
    let line = answer.expect(75).module("clients");
    assert_eq!(line["state"], "WAITING");
    let cause = line["cause"].as_str().expect("a cause");
    assert!(cause.contains("has been away since"), "{cause}");
    assert_eq!(spooled(&scene.trial), 1);
    scene.line.go_on();
    let answer = scene.trial.run().await.expect(0);
    assert_eq!(answer.module("clients")["resumed"], true);
    let again = requests(&scene.trial).await - before - asked;
    // The schema is asked for again, and at most what was under way when the run gave up.
    assert!(
        asked + again <= scene.calm + 3,
        "{asked} and {again} of {}",
        scene.calm
    );
    scene.trial.agrees("given up").await;
    assert_eq!(spooled(&scene.trial), 0);
    let runs = scene.trial.world.runs().await;
    let given_up = &runs[runs.len() - 2];
    assert_eq!(given_up["state"], "WAITING", "{given_up}");
}

/// A configuration in which the module reads few pages ahead: it believes that a page holds thousands of
/// records.
fn few_ahead(trial: &Trial) -> fn(&str) -> String {
    let file = trial.world.copy_module("clients").join("module.yaml");
    let edited =
        |text: String| text.replace("  id: .id\n", "  id: .id\n  paging: { size: 4000 }\n");
    trial.world.edit_file(&file, edited);
    |text| format!("modules = [\"modules\"]\n{text}")
}

#[tokio::test]
async fn a_full_spool_makes_the_source_wait() {
    let mut scene = Scene::set(1, "spool_bytes = 1\n").await;
    let with_module = few_ahead(&scene.trial);
    scene.trial.configure(with_module);
    scene.trial.change().await;
    scene.line.at_commit(1, PAGE, Then::Away);
    scene
        .trial
        .configure(|text| with_module(&text.replace("away_seconds = 60", "away_seconds = 1")));
    let (answer, asked) = scene.run_beside(async {}).await;
    answer.expect(75);
    assert!(
        asked > 1 && asked < scene.calm / 2,
        "{asked} of {} requests, while nobody took the pages",
        scene.calm
    );
    scene.line.go_on();
    scene.trial.configure(with_module);
    let (answer, rest) = scene.run_beside(async {}).await;
    answer.expect(0);
    // The schema, and what was under way when the run gave up.
    assert!(
        asked + rest <= scene.calm + 4,
        "{asked} and {rest} of {}",
        scene.calm
    );
    scene.trial.agrees("a full spool").await;
}

#[tokio::test]
async fn pages_on_disk_outlive_a_kill_and_are_staged_once() {
    let mut scene = Scene::set(4, "").await;
    for point in ["spooled", "replayed"] {
        scene.trial.change().await;
        scene.line.at_commit(1, PAGE, Then::Away);
        let halted = scene.trial.world.halted_at(point, &["--module", "clients"]);
        let back = async {
            scene.line.happened().await;
            if point == "replayed" {
                scene.line.go_on();
            }
        };
        let (mut child, ()) = tokio::join!(halted, back);
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("a process"), Signal::KILL).expect("a signal");
        child.wait().await.expect("an end");
        assert_eq!(spooled(&scene.trial), 1, "{point}");
        scene.line.go_on();
        let (answer, asked) = scene.run_beside(async {}).await;
        let line = answer.expect(0).module("clients");
        assert_eq!(line["resumed"], true, "{point}: {line}");
        assert!(asked < scene.calm, "{point}: {asked} of {}", scene.calm);
        scene.trial.agrees(point).await;
        let twice = "select count(*) from (select pass_id from staging.pages, unnest(source_ids) id
            group by pass_id, id having count(*) > 1) twice";
        assert_eq!(scene.trial.world.count(twice).await, 0, "{point}");
        assert_eq!(spooled(&scene.trial), 0, "{point}");
    }
}
