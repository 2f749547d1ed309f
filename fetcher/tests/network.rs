//! Failures below HTTP: silence, no source, too much, redirects.

use std::time::Duration;

use fetcher::FetchErrorKind;

use crate::failures::{GOOD, answer};
use crate::source::{Asked, Scripted, kind_of, read, relay};

#[tokio::test]
async fn no_answer_and_no_source_are_told_apart() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut config = fetcher::SourceConfig::new(format!("http://{address}/"));
    config.retry.attempts = 1;
    config.timeout_seconds = 1;
    // Accepts and never answers.
    let silent = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let source = fetcher::Source::open("demo", &config, None).unwrap();
    let (_, failure) = read(&source, &relay()).await;
    assert!(
        matches!(kind_of(&failure), Some(FetchErrorKind::TooSlow { limit, .. }) if *limit == Duration::from_secs(1))
    );
    silent.abort();
    let _ = silent.await;
    let (_, failure) = read(&source, &relay()).await;
    let failure = failure.unwrap();
    assert!(
        matches!(&failure.kind, FetchErrorKind::Unreachable { .. }) && failure.is_transient(),
        "{failure:?}"
    );
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_not_read_on() {
    let server = Scripted::start(|_| "x".repeat(100_000)).await;
    let mut config = server.config();
    config.max_body_bytes = 10_000;
    let source = fetcher::Source::open("demo", &config, None).unwrap();
    let (_, failure) = read(&source, &relay()).await;
    assert!(
        matches!(
            kind_of(&failure),
            Some(FetchErrorKind::TooLarge { limit: 10_000, .. })
        ),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed_with_its_body() {
    let server = Scripted::start(|asked: &Asked| match asked.path.as_str() {
        "/graphql" => answer(308, &[("location", "/graphql/")], ""),
        _ if asked.body["query"].is_string() => answer(200, &[], GOOD),
        _ => answer(400, &[], "no body"),
    })
    .await;
    let (pages, failure) = read(&server.open(), &relay()).await;
    assert!(failure.is_none() && pages.len() == 1, "{failure:?}");
}
