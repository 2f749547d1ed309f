//! A source that fails or limits, seen from outside: what it is spared, who waits for whom, and what is told
//! of it.

use std::path::Path;
use std::time::Duration;

use fetcher::{Class, FetchError, Priority, Source};

use crate::failures::{GOOD, answer};
use crate::source::{Asked, Scripted, read, relay};

fn open(server: &Scripted, folder: &Path, attempts: u32) -> Source {
    let mut config = server.config();
    config.retry.attempts = attempts;
    config.breaker.open_seconds = 1;
    config.limits_folder = Some(folder.to_owned());
    Source::open("demo", &config, None).unwrap()
}

#[tokio::test]
async fn a_source_that_fails_three_questions_is_left_alone_and_probed_once() {
    let server = Scripted::start(|asked: &Asked| match asked.number {
        0..3 => answer(503, &[], ""),
        3 => answer(502, &[], ""),
        _ => answer(200, &[], GOOD),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let source = open(&server, folder.path(), 1);
    for _ in 0..3 {
        let (_, failure) = read(&source, &relay()).await;
        assert!(
            matches!(failure, Some(FetchError::Outage { .. })),
            "{failure:?}"
        );
    }
    let standing = source.standing();
    assert_eq!((standing.breaker, standing.failures), ("open", 3));
    assert!(standing.since.is_some() && standing.next_try > standing.since);
    drop(source);
    // Another process asks: it knows, and sends nothing.
    let source = open(&server, folder.path(), 1);
    let (_, failure) = read(&source, &relay()).await;
    let failure = failure.unwrap();
    assert!(
        matches!(failure, FetchError::LeftAlone { .. }),
        "{failure:?}"
    );
    assert_eq!(failure.class(), Class::Waiting);
    let told = failure.to_string();
    assert!(
        told.contains("left alone since")
            && told.contains("Next try after")
            && told.contains("HTTP 503"),
        "{told}"
    );
    assert_eq!(server.asked().len(), 3);
    // After its rest one question goes, fails, and the rest begins anew.
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert_eq!(source.standing().breaker, "half-open");
    assert!(read(&source, &relay()).await.1.is_some());
    assert!(matches!(
        read(&source, &relay()).await.1,
        Some(FetchError::LeftAlone { .. })
    ));
    assert_eq!(server.asked().len(), 4);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    assert!(read(&source, &relay()).await.1.is_none());
    assert_eq!(source.standing().breaker, "closed");
}

#[tokio::test]
async fn refused_credentials_and_queries_say_nothing_against_the_source() {
    for status in [400, 401, 403, 404] {
        let server = Scripted::start(move |_| answer(status, &[], "no")).await;
        let folder = tempfile::tempdir().unwrap();
        let source = open(&server, folder.path(), 1);
        for _ in 0..12 {
            assert!(read(&source, &relay()).await.1.is_some());
        }
        assert_eq!(source.standing().breaker, "closed", "{status}");
    }
}

#[tokio::test]
async fn an_outage_is_not_hammered_by_many_who_retry() {
    let server = Scripted::start(|_| answer(503, &[], "")).await;
    let mut config = server.config();
    (config.retry.attempts, config.retry.budget) = (20, 10);
    config.breaker.failures = 1000;
    config.breaker.failure_percent = 101;
    let source = Source::open("demo", &config, None).unwrap();
    for _ in 0..5 {
        let (_, failure) = read(&source, &relay()).await;
        assert_eq!(failure.unwrap().class(), Class::Waiting);
    }
    assert_eq!(
        server.asked().len(),
        5 + 10,
        "five questions and ten retries, not a hundred requests"
    );
    assert!(source.standing().retries_left < 1.0);
}

#[tokio::test]
async fn a_pause_asked_of_one_process_holds_the_others_back() {
    let server = Scripted::start(|asked: &Asked| match asked.number {
        0 => answer(429, &[("retry-after", "7200")], "later"),
        _ => answer(200, &[], GOOD),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let first = open(&server, folder.path(), 3);
    assert!(matches!(
        read(&first, &relay()).await.1,
        Some(FetchError::Throttled { .. })
    ));
    assert!(first.standing().next_try.is_some());
    drop(first);
    let (_, failure) = read(&open(&server, folder.path(), 3), &relay()).await;
    match failure {
        Some(FetchError::Throttled {
            wait: Some(wait), ..
        }) => {
            assert!(
                wait > Duration::from_secs(3500) && wait <= Duration::from_secs(3600),
                "{wait:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(server.asked().len(), 1, "nobody asks meanwhile");
}

#[tokio::test]
async fn a_damaged_or_forbidden_account_of_limits_stops_nobody() {
    let server = Scripted::start(|_| answer(200, &[], GOOD)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("demo.json"),
        "{\"next\": 1e99, half of it",
    )
    .unwrap();
    assert!(
        read(&open(&server, folder.path(), 1), &relay())
            .await
            .1
            .is_none()
    );
    let file = folder.path().join("demo.json");
    let source = open(&server, &file, 1).with_priority(Priority::Backfill);
    assert!(
        read(&source, &relay()).await.1.is_none(),
        "a folder that is a file"
    );
}
