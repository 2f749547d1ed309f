//! Credentials: kept encrypted, renewed once for all, and never shown.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fetcher::{
    AuthKind, Class, FetchErrorKind, Secret, Source, SourceConfig, TokenError, TokenStore, Tokens,
};
use serde_json::json;

use crate::source::{Asked, Scripted, kind_of, read, relay};

const GOOD: &str = r#"{"data":{"allClients":{"nodes":[{"id":"a"}],"pageInfo":{"hasNextPage":false,"endCursor":null}}}}"#;
pub const CANARY: &str = "canary-7f3a9c";

fn bearer(asked: &Asked) -> String {
    let header = asked
        .headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    header
        .unwrap_or_default()
        .trim_start_matches("Bearer ")
        .to_owned()
}

pub fn tokens(access: &str, refresh: Option<&str>) -> Tokens {
    Tokens {
        refresh_since: None,
        access: Secret::new(access),
        refresh: refresh.map(Secret::new),
        expires_at: None,
    }
}

fn oauth(server: &Scripted, dir: &Path) -> SourceConfig {
    let mut config = server.config();
    let secret = dir.join("client-secret");
    std::fs::write(&secret, CANARY).unwrap();
    config.auth.kind = AuthKind::Oauth2Refresh;
    config.auth.token_url = Some(format!("{}/token", server.url));
    config.auth.authorize_url = Some(format!("{}/authorize", server.url));
    config.auth.client_id = Some("concord".to_owned());
    config.auth.secret_file = Some(secret);
    config
}

/// A source that takes only the newest access token, and each refresh token once.
async fn rotating() -> Scripted {
    let live = Mutex::new(("old-access".to_owned(), "refresh-0".to_owned(), 0));
    Scripted::start(move |asked: &Asked| -> Response {
        let mut live = live.lock().unwrap();
        if asked.path == "/token" {
            if !asked.text.contains(&format!("refresh_token={}", live.1)) || !asked.text.contains(CANARY) {
                let words = json!({ "error": "invalid_grant", "error_description": format!("{CANARY} is spent") });
                return (StatusCode::BAD_REQUEST, axum::Json(words)).into_response();
            }
            live.2 += 1;
            *live = (format!("access-{}", live.2), format!("refresh-{}", live.2), live.2);
            return axum::Json(json!({ "access_token": live.0, "refresh_token": live.1,
                "token_type": "bearer", "expires_in": 2_592_000 }))
            .into_response();
        }
        match bearer(asked) == live.0 {
            true => GOOD.into_response(),
            false => (StatusCode::UNAUTHORIZED, "expired").into_response(),
        }
    })
    .await
}

#[tokio::test]
async fn fifty_tasks_on_401_refresh_once() {
    let server = rotating().await;
    let dir = tempfile::tempdir().unwrap();
    let store = TokenStore::open(dir.path()).unwrap();
    store
        .save("demo", &tokens("stale", Some("refresh-0")))
        .unwrap();
    let config = oauth(&server, dir.path());
    let tasks = (0..50).map(|_| {
        let source = Source::open("demo", &config, Some(&store)).unwrap();
        tokio::spawn(async move { read(&source, &relay()).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        let (pages, failure) = task.await.unwrap();
        assert!(failure.is_none() && pages.len() == 1, "{failure:?}");
    }
    let refreshes = server
        .asked()
        .iter()
        .filter(|asked| asked.path == "/token")
        .count();
    assert_eq!(refreshes, 1);
    let kept = store.load("demo").unwrap().unwrap();
    assert_eq!(kept.access, Secret::new("access-1"));
    assert_eq!(kept.refresh, Some(Secret::new("refresh-1")));
    assert!(kept.expires_at.is_some());
}

#[tokio::test]
async fn two_processes_refresh_once() {
    let server = rotating().await;
    let dir = tempfile::tempdir().unwrap();
    let config = oauth(&server, dir.path());
    // Two spellings of one directory share nothing in memory, as two processes would.
    let stores =
        ["tokens", "./tokens"].map(|name| TokenStore::open(&dir.path().join(name)).unwrap());
    stores[0]
        .save("demo", &tokens("stale", Some("refresh-0")))
        .unwrap();
    let sources = stores
        .each_ref()
        .map(|store| Source::open("demo", &config, Some(store)).unwrap());
    let module = relay();
    let (one, two) = tokio::join!(read(&sources[0], &module), read(&sources[1], &module));
    assert!(
        one.1.is_none() && two.1.is_none(),
        "{:?} {:?}",
        one.1,
        two.1
    );
    assert_eq!(
        server
            .asked()
            .iter()
            .filter(|asked| asked.path == "/token")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_configured_refresh_token_helps_where_the_stored_one_is_dead() {
    let server = rotating().await;
    let dir = tempfile::tempdir().unwrap();
    let store = TokenStore::open(&dir.path().join("tokens")).unwrap();
    store.save("demo", &tokens("stale", Some("dead"))).unwrap();
    let mut config = oauth(&server, dir.path());
    std::fs::write(dir.path().join("refresh"), "refresh-0").unwrap();
    config.auth.refresh_token_file = Some(dir.path().join("refresh"));
    let (_, failure) = read(
        &Source::open("demo", &config, Some(&store)).unwrap(),
        &relay(),
    )
    .await;
    assert!(failure.is_none(), "{failure:?}");
    assert_eq!(
        store.load("demo").unwrap().unwrap().refresh,
        Some(Secret::new("refresh-1"))
    );
}

#[tokio::test]
async fn a_dead_refresh_token_asks_for_a_login_once_and_heals_after_it() {
    let server = rotating().await;
    let dir = tempfile::tempdir().unwrap();
    let store = TokenStore::open(dir.path()).unwrap();
    store.save("demo", &tokens("stale", Some("dead"))).unwrap();
    let source = Source::open("demo", &oauth(&server, dir.path()), Some(&store)).unwrap();
    for _ in 0..3 {
        let (_, failure) = read(&source, &relay()).await;
        let failure = failure.unwrap();
        assert!(
            matches!(
                &failure.kind,
                FetchErrorKind::Token {
                    cause: TokenError::Rejected { .. },
                    ..
                }
            ),
            "{failure:?}"
        );
        assert!(
            failure.to_string().contains("concord source login demo"),
            "{failure}"
        );
        assert!(
            !format!("{failure} {failure:?}").contains(CANARY),
            "{failure:?}"
        );
        assert_eq!(
            (failure.class(), failure.is_transient()),
            (Class::Waiting, false)
        );
    }
    let refreshes = |server: &Scripted| {
        server
            .asked()
            .iter()
            .filter(|asked| asked.path == "/token")
            .count()
    };
    assert_eq!(refreshes(&server), 1, "a refused token is not tried again");
    // Somebody logs in, in another process.
    store
        .save("demo", &tokens("old-access", Some("refresh-0")))
        .unwrap();
    let (_, failure) = read(&source, &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
}

#[tokio::test]
async fn absent_unavailable_and_unreadable_are_told_apart() {
    let server = rotating().await;
    let dir = tempfile::tempdir().unwrap();
    let config = oauth(&server, dir.path());
    let store = TokenStore::open(&dir.path().join("a")).unwrap();
    let (_, failure) = read(
        &Source::open("demo", &config, Some(&store)).unwrap(),
        &relay(),
    )
    .await;
    assert!(
        matches!(
            kind_of(&failure),
            Some(FetchErrorKind::Token {
                cause: TokenError::Absent { .. },
                ..
            })
        ),
        "{failure:?}"
    );

    let other = TokenStore::open(&dir.path().join("b")).unwrap();
    other.save("demo", &tokens("x", None)).unwrap();
    std::fs::copy(
        dir.path().join("b/demo.token"),
        dir.path().join("a/demo.token"),
    )
    .unwrap();
    let failure = store.load("demo").unwrap_err();
    assert!(matches!(failure, TokenError::Unreadable { .. }) && !failure.is_transient());
    std::fs::remove_file(dir.path().join("a/demo.token")).unwrap();
    std::fs::create_dir(dir.path().join("a/demo.token")).unwrap();
    let failure = store.load("demo").unwrap_err();
    assert!(matches!(failure, TokenError::Unavailable { .. }) && failure.is_transient());
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_is_tried_again() {
    let server = Scripted::start(|asked: &Asked| match (asked.path.as_str(), asked.number) {
        ("/token", 0) => (StatusCode::BAD_GATEWAY, "<html>").into_response(),
        ("/token", _) => {
            axum::Json(json!({ "access_token": "a", "token_type": "Bearer" })).into_response()
        }
        _ => GOOD.into_response(),
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let mut config = oauth(&server, dir.path());
    config.auth.kind = AuthKind::Oauth2ClientCredentials;
    let (_, failure) = read(&Source::open("demo", &config, None).unwrap(), &relay()).await;
    assert!(failure.is_none(), "{failure:?}");
    let asked = server.asked();
    assert_eq!(
        asked
            .iter()
            .map(|asked| asked.path.as_str())
            .collect::<Vec<_>>(),
        ["/token", "/token", "/graphql"]
    );
    assert!(
        asked[0].text.contains("grant_type=client_credentials"),
        "{}",
        asked[0].text
    );
    assert_eq!(bearer(&asked[2]), "a");
}

#[tokio::test]
async fn a_login_goes_round_by_the_browser_and_refuses_a_foreign_state() {
    let server = Scripted::start(|_| {
        axum::Json(json!({ "access_token": "fresh", "refresh_token": "r", "token_type": "bearer", "expires_in": 60 }))
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let config = oauth(&server, dir.path());
    let store = TokenStore::open(&dir.path().join("tokens")).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let back = format!("http://{}/callback", listener.local_addr().unwrap());
    let login = fetcher::start_authorization("demo", &config, &back).unwrap();
    let query: std::collections::HashMap<_, _> = login.url.query_pairs().into_owned().collect();
    assert_eq!(
        (
            query["client_id"].as_str(),
            query["code_challenge_method"].as_str()
        ),
        ("concord", "S256")
    );
    assert_eq!(query["redirect_uri"], back);
    assert!(!format!("{login:?}").contains("verifier: \""));
    let state = query["state"].clone();
    let browser = tokio::spawn(async move {
        let visit = |url: String| async move { get(&url).await };
        assert_eq!(visit(format!("{back}/favicon.ico")).await, 404);
        assert_eq!(visit(format!("{back}?state=foreign&code=evil")).await, 400);
        assert_eq!(
            visit(format!("{back}?code=good-code&state={state}")).await,
            200
        );
    });
    let code = fetcher::await_callback(&listener, &login, Duration::from_secs(20))
        .await
        .unwrap();
    browser.await.unwrap();
    fetcher::exchange_code("demo", &config, &store, login, &code)
        .await
        .unwrap();
    let form = &server.asked()[0].text;
    assert!(
        form.contains("code=good-code") && form.contains("code_verifier="),
        "{form}"
    );
    assert_eq!(
        store.load("demo").unwrap().unwrap().access,
        Secret::new("fresh")
    );
}

/// The status of a plain GET.
async fn get(url: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream
        .write_all(format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_end_of_credentials_is_known_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let store = TokenStore::open(dir.path()).unwrap();
    let issued: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let ninety = Duration::from_secs(90 * 86_400);
    let stored = |refresh: &str| Tokens {
        refresh_since: Some(issued),
        ..tokens("stale", Some(refresh))
    };
    // A refresh token that is replaced begins anew; one that stays ends when it would have.
    let keeping = Scripted::start(|asked: &Asked| match asked.path.as_str() {
        "/token" => {
            axum::Json(json!({ "access_token": "new", "token_type": "bearer" })).into_response()
        }
        _ if bearer(asked) == "new" => GOOD.into_response(),
        _ => (StatusCode::UNAUTHORIZED, "expired").into_response(),
    })
    .await;
    for (name, server) in [("keeping", &keeping), ("rotating", &rotating().await)] {
        store.save(name, &stored("refresh-0")).unwrap();
        let mut config = oauth(server, dir.path());
        config.auth.refresh_lasts = Some(ninety);
        config.auth.warn_before = Some(Duration::from_secs(7 * 86_400));
        let source = Source::open(name, &config, Some(&store)).unwrap();
        let before = source.standing();
        assert_eq!(before.credentials_end, Some(issued + ninety));
        assert_eq!(
            before.credentials_warning,
            Some(issued + Duration::from_secs(83 * 86_400))
        );
        assert!(read(&source, &relay()).await.1.is_none());
        let after = source.standing().credentials_end.unwrap();
        assert_eq!(
            after > issued + ninety,
            name == "rotating",
            "{name}: {after}"
        );
    }
    // The client secret may end before.
    let mut config = oauth(&keeping, dir.path());
    (config.auth.refresh_lasts, config.auth.expires_at) = (Some(ninety), Some(issued));
    let source = Source::open("keeping", &config, Some(&store)).unwrap();
    assert_eq!(source.standing().credentials_end, Some(issued));
    config.auth.refresh_lasts = None;
    config.auth.expires_at = None;
    let source = Source::open("rotating", &config, Some(&store)).unwrap();
    assert_eq!(source.standing().credentials_end, None, "nobody knows");
}
