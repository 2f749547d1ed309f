//! Fail the n-th call: the same small sync again and again, each time with another of its calls failing,
//! until one passes untouched.

use serde_json::json;

use super::database::Scene;
use super::oracle::Trial;

/// Fails the first call with this fault, then the second, until a run passes untouched.
async fn fails_call_by_call(kind: &str) {
    let mut trial = Trial::begin().await;
    for n in 0.. {
        trial.change().await;
        trial.configure(|text| text.replace("attempts = 3", "attempts = 1"));
        trial
            .world
            .fault(json!({ "name": kind, "after": n, "times": 1 }))
            .await;
        let deleted = trial.deleted().await;
        let answer = trial.run().await;
        let on = trial.world.source.faults().await;
        let untouched = on.as_array().is_some_and(|on| !on.is_empty());
        let label = format!("{kind} at call {}", n + 1);
        if answer.code != 0 {
            assert_eq!(trial.deleted().await, deleted, "{label}");
        }
        trial.heals(&label).await;
        if untouched {
            assert_eq!(answer.code, 0, "{label}: {}", answer.stdout);
            println!("{n} calls made to fail: {kind}");
            assert!(n >= 4, "a schema and three pages: {n}");
            break;
        }
        assert!(n < 30, "{label}: the calls have no end");
    }
}

#[tokio::test]
async fn whichever_call_breaks_the_server_the_next_run_puts_it_right() {
    fails_call_by_call("server_error").await;
}

#[tokio::test]
async fn whichever_answer_is_cut_off_the_next_run_puts_it_right() {
    fails_call_by_call("truncated_body").await;
}

#[tokio::test]
async fn whichever_call_is_one_too_many_the_next_run_puts_it_right() {
    fails_call_by_call("too_many_requests").await;
}

#[tokio::test]
async fn whichever_call_is_refused_the_next_run_puts_it_right() {
    fails_call_by_call("unauthorized").await;
}

#[tokio::test]
async fn whichever_call_meets_maintenance_the_next_run_puts_it_right() {
    fails_call_by_call("maintenance_page").await;
}

/// The connection to the database breaks before every so many-th message of a run, until a run passes
/// untouched: it goes on all the same, asks the source for nothing twice and writes nothing twice.
async fn breaks_messages_from(first: usize) {
    const STRIDE: usize = 94;
    let mut scene = Scene::set(15, "").await;
    let mut broken = 0;
    for n in (first..).step_by(STRIDE) {
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
    assert!(broken > 5, "{broken} messages are too few for a whole run");
}

#[tokio::test]
async fn whichever_odd_message_to_the_database_breaks_the_run_goes_on() {
    breaks_messages_from(1).await;
}

#[tokio::test]
async fn whichever_even_message_to_the_database_breaks_the_run_goes_on() {
    breaks_messages_from(48).await;
}
