use std::time::Instant;

use serde_json::{Value, json};

use crate::stand::{Stand, ids};

const PAGE: &str = "query($after: String) { allClients(first: 10, after: $after) { nodes { id tags status } pageInfo { hasNextPage endCursor } totalCount } }";

async fn page(stand: &Stand, after: &Value) -> Value {
    let mut answer = stand.ask_with(PAGE, json!({"after": after})).await;
    answer["data"]["allClients"].take()
}

/// What one request to a spoiled endpoint looks like from outside.
async fn seen(stand: &Stand) -> String {
    let answer = stand.send("{ allTaxes { name } }", json!({})).await;
    let header = |name: &str| {
        answer.headers().get(name).map_or("-".to_owned(), |value| {
            value.to_str().unwrap_or("?").to_owned()
        })
    };
    let (status, kind, retry) = (
        answer.status().as_u16(),
        header("content-type"),
        header("retry-after"),
    );
    let body = match answer.text().await {
        Ok(text) if text == r#"{"data":{"allTaxes":[{"name":"TPS"},{"name":"TVQ"}]}}"# => {
            "data".to_owned()
        }
        Ok(text) => text.chars().take(60).collect(),
        Err(_) => "broken off".to_owned(),
    };
    format!("{status} {kind} {retry} {body}")
}

const TRUE: &str = "200 application/json; charset=utf-8 - data";

/// Switch, value, and how the answer it spoils begins.
fn spoiled_answers() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "unauthorized",
            json!(null),
            "401 application/json - {\"error\":\"The access token is invalid or has exp",
        ),
        (
            "too_many_requests",
            json!(null),
            "429 application/json - {\"error\":\"Too Many Requests\"}",
        ),
        (
            "too_many_requests",
            json!(7),
            "429 application/json 7 {\"error\":\"Too Many Requests\"}",
        ),
        (
            "too_many_requests",
            json!("Wed, 21 Oct 2026 07:28:00 GMT"),
            "429 application/json Wed, 21 Oct 2026 07:28:00 GMT {\"error\":\"Too Many Requests\"}",
        ),
        ("server_error", json!(null), "503 text/plain - "),
        ("server_error", json!(502), "502 text/plain - "),
        (
            "truncated_body",
            json!(null),
            "200 application/json; charset=utf-8 - broken off",
        ),
        ("wrong_content_type", json!(null), "200 text/plain - data"),
        (
            "wrong_content_type",
            json!("text/html"),
            "200 text/html - data",
        ),
        (
            "maintenance_page",
            json!(null),
            "200 text/html; charset=utf-8 - <!DOCTYPE html><html lang=\"fr\"><head>",
        ),
        (
            "errors_without_data",
            json!("Boom"),
            "200 application/json; charset=utf-8 - {\"errors\":[{\"message\":\"Boom\"}]}",
        ),
        (
            "errors_with_data",
            json!("Boom"),
            "200 application/json; charset=utf-8 - {\"data\":{\"allTaxes\":[{\"name\":\"TPS\"},{\"name\":",
        ),
        (
            "validation_french",
            json!(null),
            "200 application/json; charset=utf-8 - {\"errors\":[{\"message\":\"Kind n'est pas inclus(e)",
        ),
        (
            "server_crash",
            json!(null),
            "200 application/json; charset=utf-8 - {\"errors\":[{\"message\":\"undefined method 'each'",
        ),
    ]
}

#[tokio::test]
async fn each_http_switch_changes_exactly_what_it_says_and_goes_off_after_its_times() {
    let stand = Stand::small().await;
    for (name, value, expected) in spoiled_answers() {
        stand
            .admin(
                "faults",
                json!({"name": name, "value": value, "times": 2, "after": 1}),
            )
            .await;
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(seen(&stand).await);
        }
        assert_eq!([&answers[0], &answers[3]], [TRUE, TRUE], "{name} {value}");
        assert!(
            answers[1..3]
                .iter()
                .all(|answer| answer.starts_with(expected)),
            "{name} {value}: {answers:?}"
        );
    }
}

#[tokio::test]
async fn a_switch_aimed_at_one_root_field_leaves_the_others_alone() {
    let stand = Stand::small().await;
    stand
        .admin(
            "faults",
            json!({"name": "server_error", "operation": "allClients"}),
        )
        .await;
    assert_eq!(seen(&stand).await, TRUE);
    assert_eq!(stand.send(PAGE, json!({})).await.status(), 503);
    stand
        .admin("faults", json!({"clear": ["server_error"]}))
        .await;
    assert_eq!(stand.send(PAGE, json!({})).await.status(), 200);
    let stats = stand.stats().await;
    assert_eq!(
        (
            &stats["operations"]["allClients"],
            &stats["statuses"]["503"]
        ),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn slow_bytes_take_their_time_and_the_clock_can_be_wrong() {
    let stand = Stand::small().await;
    stand.fault("slow_bytes", json!(15)).await;
    let began = Instant::now();
    assert_eq!(seen(&stand).await, TRUE);
    assert!(began.elapsed().as_millis() >= 150, "{:?}", began.elapsed());
    stand
        .admin(
            "faults",
            json!({"clear": "all", "set": [{"name": "clock_skew", "value": -86_400}]}),
        )
        .await;
    let answer = stand.send("{ allTaxes { name } }", json!({})).await;
    let date = answer.headers()["date"].to_str().expect("text").to_owned();
    let yesterday = jiff::Timestamp::now().as_second() - 86_400;
    let told = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(&date)
        .expect("a date")
        .as_second();
    assert!((told - yesterday).abs() < 60, "{date}");
}

#[tokio::test]
async fn the_limiter_permits_its_rate_and_no_more() {
    let stand = Stand::small().await;
    stand.fault("rate_limit", json!(5)).await;
    let mut refused = 0;
    let began = Instant::now();
    for _ in 0..25 {
        refused += u32::from(
            stand
                .send("{ allTaxes { name } }", json!({}))
                .await
                .status()
                == 429,
        );
    }
    // Whole windows that can have passed, each with five requests let through.
    let windows = u32::try_from(began.elapsed().as_secs()).expect("a short test") + 1;
    assert!(
        refused >= 25_u32.saturating_sub(5 * windows) && refused <= 20,
        "{refused} in {:?}",
        began.elapsed()
    );
    assert_eq!(stand.stats().await["rate_limited"], refused);
}

#[tokio::test]
async fn page_switches_change_the_page_they_hit() {
    let stand = Stand::small().await;
    let first = page(&stand, &Value::Null).await;
    let cursor = first["pageInfo"]["endCursor"].clone();
    let second = page(&stand, &cursor).await;
    let second_ids = ids(second["nodes"].as_array().expect("nodes"));
    let all = ids(&stand.walk("allClients", "id", 100).await.0);
    assert_eq!(second_ids, all[10..20]);

    stand.fault("null_node", json!(3)).await;
    let mut expected = second.clone();
    expected["nodes"][3] = Value::Null;
    assert_eq!(page(&stand, &cursor).await, expected, "null_node");
    stand.admin("faults", json!({"clear": "all"})).await;

    stand.fault("same_cursor", Value::Null).await;
    let mut expected = second.clone();
    expected["pageInfo"] = json!({"hasNextPage": true, "endCursor": cursor});
    assert_eq!(page(&stand, &cursor).await, expected, "same_cursor");
    stand.admin("faults", json!({"clear": "all"})).await;

    stand.fault("empty_page", Value::Null).await;
    let empty = page(&stand, &cursor).await;
    assert_eq!(
        empty,
        json!({"nodes": [], "pageInfo": {"hasNextPage": true, "endCursor": cursor}, "totalCount": 40}),
        "empty_page"
    );
    stand.admin("faults", json!({"clear": "all"})).await;

    stand.fault("total_count", json!(-2)).await;
    let mut expected = second.clone();
    expected["totalCount"] = json!(38);
    assert_eq!(page(&stand, &cursor).await, expected, "total_count");
    stand.admin("faults", json!({"clear": "all"})).await;

    for (name, value, from) in [("repeat_rows", 2, 8), ("shift_rows", 3, 13)] {
        stand.fault(name, json!(value)).await;
        assert_eq!(
            page(&stand, &Value::Null).await,
            first,
            "{name} leaves the first page alone"
        );
        assert_eq!(
            ids(page(&stand, &cursor).await["nodes"]
                .as_array()
                .expect("nodes")),
            all[from..from + 10],
            "{name}"
        );
        stand.admin("faults", json!({"clear": "all"})).await;
    }
    stand.fault("page_cap", json!(4)).await;
    assert_eq!(
        page(&stand, &Value::Null).await["nodes"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
}

#[tokio::test]
async fn the_three_variants_of_a_field_stay_three() {
    let stand = Stand::small().await;
    let truth = page(&stand, &Value::Null).await;
    for (name, expected) in [
        ("field_absent", None),
        ("field_null", Some(Value::Null)),
        ("field_empty", Some(json!([]))),
    ] {
        stand
            .fault(name, json!(["PrivateClient.tags", "PrivatePiano.tags"]))
            .await;
        let spoiled = page(&stand, &Value::Null).await;
        for (node, was) in spoiled["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .zip(truth["nodes"].as_array().expect("nodes"))
        {
            assert_eq!(node.get("tags"), expected.as_ref(), "{name}");
            assert_eq!(
                (&node["id"], &node["status"]),
                (&was["id"], &was["status"]),
                "{name}"
            );
        }
        stand.admin("faults", json!({"clear": [name]})).await;
    }
    assert_eq!(page(&stand, &Value::Null).await, truth);
}

#[tokio::test]
async fn an_unknown_enum_value_appears_only_in_the_data() {
    let stand = Stand::small().await;
    stand
        .fault("unknown_enum", json!("ClientStatus:HIBERNATING"))
        .await;
    let nodes = stand.walk("allClients", "id status", 100).await.0;
    assert_eq!(
        nodes
            .iter()
            .filter(|node| node["status"] == "HIBERNATING")
            .count(),
        nodes.len() / 5
    );
    let known = stand
        .ask("{ __type(name: \"ClientStatus\") { enumValues { name } } }")
        .await;
    assert!(!known.to_string().contains("HIBERNATING"));
}

#[tokio::test]
async fn a_switch_nobody_knows_is_refused_with_a_remedy() {
    let stand = Stand::small().await;
    let answer = stand
        .http
        .post(format!("{}/faults", stand.running.urls.admin))
        .json(&json!({"name": "gremlins"}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.expect("a body").contains("gremlins"));
}
