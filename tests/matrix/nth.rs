//! Fail the n-th call: the same small sync again and again, each time with another of its calls failing,
//! until one passes untouched.

use serde_json::json;

use super::database::Scene;
use super::oracle::Trial;

#[tokio::test]
async fn whichever_call_fails_the_next_run_puts_it_right() {
    let mut trial = Trial::begin().await;
    let kinds = [
        "server_error",
        "truncated_body",
        "too_many_requests",
        "unauthorized",
        "maintenance_page",
    ];
    let mut calls = Vec::new();
    for kind in kinds {
        for n in 0.. {
            trial.change().await;
            trial.configure(|text| text.replace("attempts = 3", "attempts = 1"));
            trial
                .world
                .fault(json!({ "name": kind, "after": n, "times": 1 }))
                .await;
            let deleted = trial.deleted().await;
            let answer = trial.run().await;
            let untouched = trial
                .world
                .source
                .faults()
                .await
                .as_array()
                .is_some_and(|on| !on.is_empty());
            let label = format!("{kind} at call {}", n + 1);
            if answer.code != 0 {
                assert_eq!(trial.deleted().await, deleted, "{label}");
            }
            trial.heals(&label).await;
            if untouched {
                assert_eq!(answer.code, 0, "{label}: {}", answer.stdout);
                calls.push(n);
                break;
            }
            assert!(n < 30, "{label}: the calls have no end");
        }
    }
    println!("calls made to fail, by kind: {calls:?}");
    assert!(
        calls.iter().all(|calls| *calls >= 4),
        "a schema and three pages: {calls:?}"
    );
}

/// The connection to the database breaks before every so many-th message of a run, until a run passes
/// untouched: it goes on all the same, asks the source for nothing twice and writes nothing twice.
#[tokio::test]
async fn whichever_message_to_the_database_breaks_the_run_goes_on() {
    const STRIDE: usize = 47;
    let mut scene = Scene::set(15, "").await;
    let mut broken = 0;
    for n in (1..).step_by(STRIDE) {
        let label = format!("the connection breaks before message {n}");
        scene.trial.change().await;
        scene.line.at_message(n);
        let (answer, asked) = scene.run_beside(async {}).await;
        let broke = scene.line.broke();
        let line = answer.expect(0).module("clients");
        scene.trial.agrees(&label).await;
        assert_eq!(line["claims"]["inserted"], 1, "{label}: {line}");
        assert_eq!(asked, scene.calm, "{label}: {line}");
        if !broke {
            println!("{broken} of some {n} messages, every {STRIDE}th, were broken");
            break;
        }
        broken += 1;
    }
    assert!(broken > 10, "{broken} messages are too few for a whole run");
}
