//! Each row of the table in a run of its own.

use super::oracle::Trial;
use super::table::{Inject, Row, graphql, limits, network};

async fn inject(trial: &Trial, row: &Row) {
    match &row.inject {
        Inject::Switch(fault) => trial.world.fault(fault.clone()).await,
        Inject::Break(wire, connections) => trial.proxy.breaks(*wire, *connections),
        Inject::Configure(change) => trial.configure(change),
    }
}

/// Every fault in turn: the promised state and words while it lasts, nothing lost, nothing invented, nothing
/// taken for deleted by a read that was not whole; and after one clean run, at most two, production is what
/// the source says.
async fn end_as_promised_and_heal(rows: Vec<Row>) {
    let mut trial = Trial::begin().await;
    let mut faults = Vec::new();
    for row in rows {
        let label = format!("{} {}", row.name, row.what);
        trial.change().await;
        let deleted = trial.deleted().await;
        inject(&trial, &row).await;
        let began = std::time::Instant::now();
        let answer = trial.run().await;
        println!(
            "{label}: exit {} in {:.1} s",
            answer.code,
            began.elapsed().as_secs_f64()
        );
        let told = format!("{}{}", answer.stdout, answer.stderr);
        let line = answer
            .lines()
            .into_iter()
            .find(|line| line["module"] == "clients")
            .unwrap_or_default();
        let fits = answer.code == row.exit
            && (row.state.is_empty() || line["state"] == row.state)
            && told.contains(row.says);
        if !fits {
            faults.push(format!(
                "{label}: exit {}, promised {} {} “{}”\n{told}",
                answer.code, row.exit, row.state, row.says
            ));
        }
        if answer.code == 0 {
            // Before anything is asked without the fault, so that the fault run itself must have been whole.
            trial.world.clear_faults().await;
            trial.agrees(&label).await;
        } else {
            assert_eq!(
                trial.deleted().await,
                deleted,
                "{label}: a deletion was inferred"
            );
            trial.holds(&label).await;
        }
        trial.heals(&label).await;
    }
    assert!(
        faults.is_empty(),
        "{} rows are not as promised\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[tokio::test]
async fn every_fault_of_the_network_ends_as_promised_and_heals() {
    end_as_promised_and_heal(network()).await;
}

#[tokio::test]
async fn every_fault_of_graphql_ends_as_promised_and_heals() {
    end_as_promised_and_heal(graphql()).await;
}

#[tokio::test]
async fn every_fault_of_limits_and_credentials_ends_as_promised_and_heals() {
    end_as_promised_and_heal(limits()).await;
}

#[tokio::test]
async fn a_cursor_refused_marks_the_run_as_resumed() {
    let mut trial = Trial::begin().await;
    trial.change().await;
    trial
        .world
        .fault(
            serde_json::json!({ "name": "cursor_refused", "times": 1, "operation": "allClients" }),
        )
        .await;
    let answer = trial.run().await.expect(0);
    assert_eq!(answer.module("clients")["resumed"], true);
    assert_eq!(trial.world.last_run().await["resumed"], true);
    trial.agrees("resumed").await;
}

#[tokio::test]
async fn a_source_that_fails_and_fails_is_left_alone_and_says_so() {
    let trial = Trial::begin().await;
    trial
        .world
        .fault(serde_json::json!({ "name": "server_error" }))
        .await;
    trial.configure(|text| text.replace("open_seconds = 1", "open_seconds = 3600"));
    for _ in 0..3 {
        trial.run().await.expect(75);
    }
    let requests = trial.world.source.stats().await["requests"].clone();
    let cause = trial.run().await.expect(75).module("clients")["cause"].to_string();
    assert!(
        cause.contains("circuit breaker is open since") && cause.contains("Next try after"),
        "{cause}"
    );
    assert_eq!(
        trial.world.source.stats().await["requests"],
        requests,
        "nothing was asked"
    );
    let standing = trial
        .world
        .value("select standing from ops.sources where source = 'gazelle'")
        .await;
    assert_eq!(standing["breaker"], "open", "{standing}");
    assert!(
        standing["since"].is_string() && standing["next_try"].is_string(),
        "{standing}"
    );
    let status = trial
        .world
        .concord(&["status", "--module", "clients"])
        .await;
    assert!(
        status.stdout.contains("left alone since"),
        "{}",
        status.stdout
    );
}

#[tokio::test]
async fn a_retyped_field_waits_for_approval_or_a_corrected_module() {
    let mut trial = Trial::begin().await;
    trial.change().await;
    let fault =
        serde_json::json!({ "name": "field_retyped", "value": "PrivateClient.referenceId:Int" });
    trial.world.fault(fault).await;
    let before = trial.world.exact().await;
    trial.run().await.expect(4);
    let cause = trial.run().await.expect(4).module("clients")["cause"].to_string();
    assert_eq!(trial.world.exact().await, before, "nothing was read");
    trial.approve(&cause, "Checked with the vendor.").await;
    trial.run().await.expect(0);
    trial.run().await.expect(0);
    let open =
        "select count(*) from ops.problems where code = 'schema' and state in ('open', 'approved')";
    assert_eq!(trial.world.count(open).await, 0, "the approval is used up");
}
