//! D7: a real crowd takes every connection that the role may have.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::database::{KILL, PAGE, Scene, requests};
use super::line::Then;

/// Connections that the role may have.
const FEW: usize = 4;

/// Everything the role may have, taken.
async fn crowd(url: &str) -> Vec<PgConnection> {
    let mut crowd = Vec::new();
    // One that the run has just lost may be counted for a moment.
    for _ in 0..1_000 {
        match PgConnection::connect(url).await {
            Ok(connection) => crowd.push(connection),
            Err(error) => {
                let refused = error.as_database_error().and_then(|e| e.code());
                assert_eq!(refused.as_deref(), Some("53300"), "{error}");
            }
        }
        if crowd.len() == FEW {
            return crowd;
        }
    }
    panic!("only {} of {FEW} connections were to be had", crowd.len());
}

#[tokio::test]
async fn while_others_have_every_connection_the_run_waits_for_one() {
    let mut scene = Scene::set(4, "").await;
    let url = scene.trial.world.database.url.clone();
    let name = scene.trial.world.value("current_database()::text").await;
    let role = format!("few_of_{}", name.as_str().expect("a name"));
    let grants = format!(
        "create role {role} login connection limit {FEW};
         grant pg_read_all_stats to {role};
         grant all on schema concord, ops, staging, prod, history to {role};
         grant all on all tables in schema concord, ops, staging, prod, history to {role}"
    );
    scene.trial.world.sql(&grants).await;
    let as_role = |url: &str| url.replacen("postgres://postgres", &format!("postgres://{role}"), 1);
    scene.trial.world.database.url = as_role(&url);
    let others = as_role(&std::env::var("DATABASE_URL").expect("a server"));

    let all = crowd(&others).await;
    let answer = scene.trial.run().await.expect(75);
    assert!(
        answer.stderr.contains("connection"),
        "before it can begin, it says what is missing: {}",
        answer.stderr
    );
    drop(all);

    scene.trial.change().await;
    let before = requests(&scene.trial).await;
    scene.line.at_commit(1, PAGE, Then::Held);
    let world = &scene.trial.world;
    let beside = async {
        scene.line.happened().await;
        world.sql(KILL).await;
        let all = crowd(&others).await;
        scene.line.go_on();
        scene.source_is_read(before).await;
        drop(all);
    };
    let (answer, asked) = scene.run_beside(beside).await;
    let line = answer.expect(0).module("clients");
    assert_eq!(
        (&line["resumed"], asked),
        (&true.into(), scene.calm),
        "{line}"
    );
    scene.trial.agrees("a crowd").await;

    scene
        .trial
        .configure(|text| text.replace("away_seconds = 60", "away_seconds = 1"));
    scene.trial.change().await;
    scene.line.at_commit(1, PAGE, Then::Held);
    let world = &scene.trial.world;
    let (sender, stays) = tokio::sync::oneshot::channel();
    let beside = async {
        scene.line.happened().await;
        world.sql(KILL).await;
        assert!(sender.send(crowd(&others).await).is_ok());
        scene.line.go_on();
    };
    let (answer, _) = scene.run_beside(beside).await;
    let line = answer.expect(75).module("clients");
    assert_eq!(line["state"], "WAITING", "a crowd that stays: {line}");
    drop(stays.await.expect("the crowd"));
    scene.trial.world.database.url = url;
    scene.trial.heals("the crowd has left").await;
    let gone = format!("drop owned by {role}; drop role {role}");
    let pool = &scene.trial.world.database.pool;
    sqlx::raw_sql(AssertSqlSafe(gone))
        .execute(pool)
        .await
        .expect("no role is left");
}
