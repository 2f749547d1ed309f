use insta::assert_snapshot;
use serde_json::Value;
use sqlx::PgPool;

use super::{ask, module, modules, monitor, redacted, seed};
use crate::bind;

/// The JSON, indented, without what depends on when the test ran.
fn steady(text: &str) -> String {
    let mut health = json(&redacted(text));
    let modules = health["modules"].as_object_mut().expect("modules");
    for module in modules.values_mut() {
        for aged in ["freshness", "freshness_periods"] {
            if let Some(value) = module.get_mut(aged).filter(|value| !value.is_null()) {
                *value = "[age]".into();
            }
        }
    }
    serde_json::to_string_pretty(&health).expect("JSON")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn the_page_in_both_languages(pool: PgPool) {
    seed(&pool).await;
    let monitor = monitor(&pool, modules());
    let english = ask(&monitor, "/", &[]).await;
    assert_eq!(english.status, 200);
    assert_snapshot!("home_english", redacted(&english.text));
    let french = ask(&monitor, "/", &[("accept-language", "fr-CA,fr;q=0.9")]).await;
    assert_eq!(french.headers["content-language"], "fr");
    assert_snapshot!("home_french", redacted(&french.text));
    let asked = ask(&monitor, "/?lang=fr", &[("accept-language", "en")]).await;
    assert_eq!(redacted(&asked.text), redacted(&french.text));
    for page in [&english, &french] {
        assert!(
            !page.text.contains("<script"),
            "what a source wrote must stay text"
        );
        assert!(page.text.contains("&lt;script&gt;alert("));
        assert!(
            !page.text.contains(" style=") && !page.text.contains("<style"),
            "the policy forbids inline style"
        );
    }
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn a_hostile_module_name_is_inert_everywhere(pool: PgPool) {
    let name = "\"><script>alert(1)</script>\n# TYPE x gauge";
    let monitor = monitor(&pool, vec![module(name)]);
    let page = ask(&monitor, "/", &[]).await;
    assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script>"));
    let metrics = ask(&monitor, "/metrics", &[]).await;
    assert!(
        metrics
            .text
            .lines()
            .all(|line| !line.starts_with("# TYPE x"))
    );
    assert!(
        metrics
            .text
            .contains(r##"module="\"><script>alert(1)</script>\n# TYPE x gauge""##)
    );
    assert_eq!(
        json(&ask(&monitor, "/api/v6/health", &[]).await.text)["modules"][name]["status"],
        "NEVER"
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn an_empty_house_and_one_where_all_is_well(pool: PgPool) {
    let empty = ask(&monitor(&pool, vec![]), "/", &[]).await;
    assert!(empty.text.contains("No module is configured."));
    seed(&pool).await;
    let well = ask(&monitor(&pool, vec![module("users")]), "/", &[]).await;
    assert!(
        well.text.contains("Everything is up to date and complete")
            && !well.text.contains("To look at")
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn health_as_json(pool: PgPool) {
    seed(&pool).await;
    let monitor = monitor(&pool, modules());
    let v1 = ask(&monitor, "/api/v1/health", &[]).await;
    assert_eq!(
        (v1.status.as_u16(), &v1.headers["content-type"]),
        (200, &"application/json".parse().expect("a type"))
    );
    assert_snapshot!("health_v1", steady(&v1.text));
    let v6 = ask(&monitor, "/api/v6/health", &[]).await;
    let raw = json(&v6.text);
    let users = &raw["modules"]["users"];
    assert!(
        users["last_sync"]
            .as_str()
            .expect("a time")
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert!(
        users["freshness"]
            .as_i64()
            .is_some_and(|seconds| (9_500..10_000).contains(&seconds))
    );
    assert_snapshot!("health_v6", steady(&v6.text));
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn metrics_for_prometheus(pool: PgPool) {
    seed(&pool).await;
    let monitored = ["users", "clients", "events", "quotes"].map(module).into();
    let metrics = ask(&monitor(&pool, monitored), "/metrics", &[]).await;
    assert_eq!(
        metrics.headers["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let steady: Vec<String> = metrics.text.lines().map(without_age).collect();
    assert_snapshot!("metrics", steady.join("\n"));
}

/// A line of metrics without a value that depends on when the test ran.
fn without_age(line: &str) -> String {
    let aged = [
        "concord_last_complete_timestamp_seconds{",
        "concord_freshness_periods{",
    ];
    match line.rsplit_once(' ') {
        Some((name, value))
            if aged.iter().any(|aged| line.starts_with(aged))
                && value != "0"
                && value != "+Inf" =>
        {
            format!("{name} [age]")
        }
        _ => line.to_owned(),
    }
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn probes_and_what_every_answer_carries(pool: PgPool) {
    let monitor = monitor(&pool, modules());
    assert_eq!(ask(&monitor, "/livez", &[]).await.text, "ok\n");
    let ready = ask(&monitor, "/readyz", &[]).await;
    assert_eq!((ready.status.as_u16(), &*ready.text), (200, "ready\n"));
    let verbose = ask(&monitor, "/readyz?verbose", &[]).await;
    assert_eq!(
        verbose.text,
        "[+] database ok\n[+] migrations ok\n[+] leases ok\nready\n"
    );
    for (path, status) in [
        ("/", 200),
        ("/style.css", 200),
        ("/livez", 200),
        ("/metrics", 200),
        ("/nowhere", 404),
    ] {
        let answer = ask(&monitor, path, &[]).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
        let policy = answer.headers["content-security-policy"]
            .to_str()
            .expect("a policy");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}"
        );
    }
    let rebound = ask(&monitor, "/", &[("host", "evil.example:8080")]).await;
    assert_eq!(rebound.status, 421);
    assert_eq!(
        ask(&monitor, "/", &[("host", "localhost:8080")])
            .await
            .status,
        200
    );
}

#[sqlx::test(migrator = "staging::MIGRATOR")]
async fn an_older_or_newer_schema_is_not_ready(pool: PgPool) {
    let monitor = monitor(&pool, modules());
    sqlx::raw_sql("insert into concord.migrations values (9999, 'newer', now(), true, '', 0)")
        .execute(&pool)
        .await
        .expect("a migration");
    let newer = ask(&monitor, "/readyz?verbose", &[]).await;
    assert_eq!(newer.status, 503);
    assert!(
        newer
            .text
            .starts_with("[+] database ok\n[-] migrations failed\n")
    );
    sqlx::raw_sql("drop table concord.migrations")
        .execute(&pool)
        .await
        .expect("no ledger");
    assert_eq!(ask(&monitor, "/readyz", &[]).await.status, 503);
}

#[tokio::test]
async fn only_the_loopback_interface_is_opened() {
    let listener = bind(0).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    assert!(address.ip().is_loopback());
    let error = bind(address.port())
        .await
        .expect_err("a port that is taken");
    assert!(error.to_string().contains("choose another port"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}
