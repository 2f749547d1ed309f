//! OAuth faults in whole runs: what a refresh may lose, and what is said of it.

use serde_json::json;
use tokio::process::Command;

use super::oracle::Trial;
use crate::world::Answer;

/// A trial that logs in by a stored refresh token.
async fn trial() -> Trial {
    let trial = Trial::begin().await;
    let token = trial.world.source.running.urls.token.clone();
    trial.reconfigure(|text| {
        let lines = text.lines().map(|line| match line.starts_with("auth") {
            true => format!(
                "auth = {{ kind = \"oauth2_refresh\", token_url = \"{token}\", client_id = \"{}\", secret_env = \"SECRET\", refresh_token_env = \"REFRESH\" }}\n",
                standin::CLIENT_ID
            ),
            false => format!("{line}\n"),
        });
        lines.collect()
    })
}

fn command(trial: &Trial) -> Command {
    let mut command = trial.world.command(env!("CARGO_BIN_EXE_run_sync"));
    command
        .args(["--json", "--module", "clients"])
        .env("SECRET", standin::CLIENT_SECRET)
        .env("REFRESH", standin::REFRESH_TOKEN);
    command
}

async fn run(trial: &Trial) -> Answer {
    Answer::of(&mut command(trial)).await
}

/// O2: the source rotates, and its answer breaks off. With the old token still good for once, the retry
/// brings a pair; without, the exact cause is said, and the token endpoint is not hammered.
#[tokio::test]
async fn a_refresh_whose_answer_is_lost_is_retried_and_explained() {
    for (rotation, exit) in [("keep", 0), ("grace", 0), ("rotate", 75)] {
        let mut trial = trial().await;
        trial.change().await;
        let faults = json!([{ "name": "token_rotation", "value": rotation }, { "name": "truncated_body", "operation": "token", "times": 1 }]);
        trial.world.fault(faults).await;
        let answer = run(&trial).await;
        assert_eq!(
            answer.code, exit,
            "{rotation}: {}{}",
            answer.stdout, answer.stderr
        );
        if exit == 75 {
            let cause = answer.module("clients")["cause"].to_string() + &answer.stderr;
            assert!(
                cause.contains("was lost") && cause.contains("concord source login"),
                "{cause}"
            );
            let grants = trial.world.source.stats().await["grants"]["refresh_token"].clone();
            assert!(grants.as_u64() <= Some(3), "{grants}");
            run(&trial).await.expect(75);
        }
        trial.holds(rotation).await;
    }
}

/// O4: killed between the source's answer and the file.
#[tokio::test]
async fn a_rotated_token_lost_by_a_kill_asks_for_a_login_with_the_exact_cause() {
    let mut trial = trial().await;
    trial.change().await;
    let slow = json!([{ "name": "token_rotation", "value": "rotate" }, { "name": "slow_bytes", "value": 400, "operation": "token" }]);
    trial.world.fault(slow).await;
    let mut child = command(&trial)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("run_sync starts");
    while trial.world.source.stats().await["auth_refreshes"] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    child.kill().await.expect("a process to kill");
    trial.world.clear_faults().await;
    let answer = run(&trial).await.expect(75);
    let cause = answer.module("clients")["cause"].to_string() + &answer.stderr;
    assert!(cause.contains("was lost"), "{cause}");
    trial
        .world
        .sql("update ops.runs set state = 'FAILED', cause = 'killed' where state = 'RUNNING'")
        .await;
    trial.holds("killed").await;
}

/// O1: the token expires in the middle of a read.
#[tokio::test]
async fn a_token_that_expires_within_a_read_is_refreshed_once() {
    let mut trial = trial().await;
    trial.change().await;
    trial
        .world
        .fault(json!({ "name": "unauthorized", "after": 2, "times": 1 }))
        .await;
    run(&trial).await.expect(0);
    trial.world.clear_faults().await;
    trial.agrees("expired").await;
    assert_eq!(
        trial.world.source.stats().await["auth_refreshes"],
        2,
        "one to begin with, and one more"
    );
}

/// O7: the credentials of another account.
#[tokio::test]
async fn another_account_is_not_read_before_a_person_agrees() {
    let mut trial = Trial::begin().await.reconfigure(|text| {
        text.to_owned() + "account = { query = \"{ company { id } }\", id = \".company.id\" }\n"
    });
    trial.run().await.expect(0);
    let account = trial
        .world
        .value("select account from ops.sources where source = 'gazelle'")
        .await;
    assert!(
        account.as_str().is_some_and(|account| account.len() > 2),
        "{account}"
    );
    trial
        .world
        .sql("update ops.sources set account = 'com_another'")
        .await;
    trial.change().await;
    let before = trial.world.exact().await;
    let line = trial.run().await.expect(4).module("clients");
    assert_eq!(line["state"], "BLOCKED");
    let cause = line["cause"].to_string();
    assert!(
        cause.contains("com_another") && cause.contains(account.as_str().unwrap_or("?")),
        "{cause}"
    );
    assert_eq!(trial.world.exact().await, before);
    trial.approve(&cause, "We moved.").await;
    trial.run().await.expect(0);
    trial.agrees("moved").await;
}

/// L46: the end of a key or of a refresh token is shown before it comes, and only then.
#[tokio::test]
async fn the_end_of_credentials_is_shown_ahead() {
    let trial = Trial::begin().await;
    let plain = std::fs::read_to_string(trial.world.folder().join("concord.toml"))
        .expect("a configuration");
    let day = |days: i64| {
        let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        at.strftime("%Y-%m-%d").to_string()
    };
    for (end, soon) in [(day(5), true), (day(400), false)] {
        let file = trial.world.folder().join("concord.toml");
        let config = plain.replace(
            "secret_env =",
            &format!("expires_at = \"{end}\", secret_env ="),
        );
        std::fs::write(file, config).expect("a configuration");
        trial.run().await.expect(0);
        let status = trial.world.concord(&["status", "--json"]).await.expect(0);
        let told: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
        let source = &told["sources"]["gazelle"];
        assert_eq!(source["credentials_end_soon"], soon, "{source}");
        assert!(
            source["credentials_end"].to_string().contains(&end),
            "{source}"
        );
        let text = trial.world.concord(&["status"]).await.expect(0).stdout;
        assert_eq!(
            text.contains("The credentials of gazelle end at"),
            soon,
            "{text}"
        );
    }
    let served = trial.world.serve().await;
    let (_, metrics) = served.get("/metrics").await;
    assert!(
        metrics.contains("concord_credentials_end_timestamp_seconds{source=\"gazelle\"}"),
        "{metrics}"
    );
}
