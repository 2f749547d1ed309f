//! D11: a database restored from a backup that is older than what this host knows.

use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use std::str::FromStr;

use super::database::{PAGE, Scene, spooled};
use super::line::Then;
use crate::world::World;

/// The server itself, outside the test's database.
async fn server() -> PgConnection {
    let url = std::env::var("DATABASE_URL").expect("a server");
    let options = sqlx::postgres::PgConnectOptions::from_str(&url).expect("a URL");
    options.connect().await.expect("the server answers")
}

/// A copy of the test's database, file by file, as it stands now.
async fn back_up(world: &World) -> String {
    let name = world.value("current_database()::text").await;
    let name = name.as_str().expect("a name").to_owned();
    let mut server = server().await;
    let end =
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    let copy = format!("create database {name}_backup template {name}");
    // Whoever is still leaving is waited for.
    for _ in 0..1_000 {
        let ended = sqlx::raw_sql(AssertSqlSafe(end.clone())).execute(&mut server);
        ended.await.expect("they end");
        match sqlx::raw_sql(AssertSqlSafe(copy.clone()))
            .execute(&mut server)
            .await
        {
            Ok(_) => return name,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55006") => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("somebody stays in {name}");
}

/// The database as it was then.
async fn restore(name: &str) {
    let mut server = server().await;
    for sql in [
        format!("drop database {name} with (force)"),
        format!("alter database {name}_backup rename to {name}"),
    ] {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut server).await;
        done.expect("it is restored");
    }
}

#[tokio::test]
async fn a_database_restored_from_a_backup_is_noticed_and_read_anew() {
    let mut scene = Scene::set(4, "").await;
    // In the middle of a pass, or after one; with pages of a later run on disk, or without.
    for (label, within_a_pass, with_pages) in [
        ("after a pass", false, false),
        ("within a pass", true, false),
        ("with pages on disk", false, true),
    ] {
        scene.trial.change().await;
        if within_a_pass {
            scene
                .trial
                .world
                .kill_at("staged", &["--module", "clients"])
                .await;
        }
        let name = back_up(&scene.trial.world).await;
        scene.trial.run().await.expect(0);
        scene.trial.change().await;
        if with_pages {
            scene
                .trial
                .configure(|text| text.replace("away_seconds = 60", "away_seconds = 1"));
            scene.line.at_commit(1, PAGE, Then::Away);
            scene.trial.run().await.expect(75);
            assert_eq!(spooled(&scene.trial), 1, "{label}");
            scene.line.go_on();
            scene.trial.configure(str::to_owned);
        } else {
            scene.trial.run().await.expect(0);
        }
        restore(&name).await;
        let production = scene.trial.world.exact().await;
        let (answer, asked) = scene.run_beside(async {}).await;
        let line = answer.expect(4).module("clients");
        let cause = line["cause"].as_str().expect("a cause").to_owned();
        assert!(
            line["state"] == "BLOCKED" && cause.contains("The database is older than run"),
            "{label}: {line}"
        );
        assert_eq!(asked, 0, "{label}: nothing is asked before a person agrees");
        let again = scene.trial.run().await.expect(4).module("clients");
        assert_eq!(again["cause"], line["cause"], "{label}: it is asked once");
        assert_eq!(scene.trial.world.exact().await, production, "{label}");
        scene.trial.approve(&cause, "Restored on purpose.").await;
        let (answer, asked) = scene.run_beside(async {}).await;
        let line = answer.expect(0).module("clients");
        let cause = line["cause"].as_str().expect("a cause");
        assert!(
            cause.contains("The database is older than run") && line["resumed"] == true,
            "{label}: {line}"
        );
        assert_eq!(asked, scene.calm, "{label}: all of it is read, once");
        assert_eq!(
            spooled(&scene.trial),
            0,
            "{label}: pages that fit no more are gone"
        );
        scene.trial.agrees(label).await;
        let run = scene.trial.world.last_run().await;
        assert_eq!(
            run["cause"], line["cause"],
            "{label}: and the run's record says so"
        );
        let line = scene.trial.run().await.expect(0).module("clients");
        assert_eq!(
            (&line["cause"], &line["promotion"]),
            (&Value::Null, &Value::Null),
            "{label}: it is noticed once, and nothing is left to do"
        );
        let sure = ["doctor", "--offline"];
        scene.trial.world.concord(&sure).await.expect(0);
    }
}
