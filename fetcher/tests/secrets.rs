//! Secrets are referred to, kept encrypted and never shown; configurations that cannot work say so.

use std::collections::HashSet;

use axum::http::StatusCode;
use fetcher::{AuthKind, Secret, Source, SourceConfig, TokenError, TokenStore};
use serde_json::json;

use crate::logins::{CANARY, tokens};
use crate::source::{Scripted, read, relay};

#[tokio::test]
async fn keys_are_sent_where_they_belong_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    // The source repeats the key in every way it can refuse.
    let echoes: [(u16, String); 4] = [
        (401, format!("bad key {CANARY}")),
        (403, format!("<p>{CANARY}</p>")),
        (200, json!({ "errors": [ { "message": format!("key {CANARY}"), "extensions": { "code": CANARY } } ] }).to_string()),
        (500, CANARY.repeat(400)),
    ];
    for (status, text) in echoes {
        let server =
            Scripted::start(move |_| (StatusCode::from_u16(status).unwrap(), text.clone())).await;
        let mut config = server.config();
        config.retry.attempts = 2;
        config.auth.kind = AuthKind::Header;
        config.auth.name = Some("x-api-key".to_owned());
        config.auth.secret_file = Some(file.clone());
        let source = Source::open("demo", &config, None).unwrap();
        let (_, failure) = read(&source, &relay()).await;
        let failure = failure.unwrap();
        assert_eq!(server.asked()[0].headers["x-api-key"], CANARY);
        let shown = format!("{failure} {failure:?} {failure:#?} {source:?} {config:?}");
        assert!(
            !shown.contains(CANARY) && shown.contains("[redacted]"),
            "{shown}"
        );
    }
    let shown = format!(
        "{:?} {:?}",
        Secret::new(CANARY),
        tokens(CANARY, Some(CANARY))
    );
    assert!(!shown.contains(CANARY), "{shown}");
}

#[test]
fn the_store_shows_and_holds_nothing_in_clear() {
    let dir = tempfile::tempdir().unwrap();
    let store = TokenStore::open(dir.path()).unwrap();
    store.save("demo", &tokens(CANARY, Some(CANARY))).unwrap();
    assert_eq!(
        store.load("demo").unwrap(),
        Some(tokens(CANARY, Some(CANARY)))
    );
    assert_eq!(store.load("other").unwrap(), None);
    assert_eq!(
        TokenStore::open(dir.path()).unwrap().load("demo").unwrap(),
        Some(tokens(CANARY, Some(CANARY)))
    );
    assert!(!format!("{store:?}").contains("key:"));
    let mut names = HashSet::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let held = std::fs::read(&path).unwrap();
        assert!(
            !String::from_utf8_lossy(&held).contains(CANARY),
            "{}",
            path.display()
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                path.display()
            );
        }
        names.insert(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert_eq!(
        names,
        HashSet::from(["key".to_owned(), "demo.token".to_owned()])
    );
    // A token copied to another source's place is refused.
    std::fs::copy(
        dir.path().join("demo.token"),
        dir.path().join("other.token"),
    )
    .unwrap();
    assert!(matches!(
        store.load("other"),
        Err(TokenError::Unreadable { .. })
    ));
}

#[test]
fn configurations_that_cannot_work_say_so() {
    let cases = [
        (
            config_for("http://api.example.com/graphql"),
            "allow_http = true",
        ),
        (
            config_for("https://me:pw@example.com/"),
            "holds credentials",
        ),
        (
            config_for("https://example.com/?access_token=me:pw"),
            "holds credentials",
        ),
        (config_for("ftp://example.com/"), "Use an https URL"),
        (config_for("example.com"), "is not a URL"),
    ];
    for (config, expected) in cases {
        let failure = Source::open("demo", &config, None).unwrap_err().to_string();
        assert!(
            failure.contains(expected) && !failure.contains("me:pw"),
            "{failure}"
        );
    }
    let mut config = SourceConfig::new("https://example.com/");
    config
        .headers
        .insert("X-Api-Key".to_owned(), "me:pw".to_owned());
    let failure = Source::open("demo", &config, None).unwrap_err().to_string();
    assert!(
        failure.contains("headers.X-Api-Key") && !failure.contains("me:pw"),
        "{failure}"
    );
    let mut config = SourceConfig::new("https://example.com/");
    config.auth.kind = AuthKind::Bearer;
    let failure = Source::open("demo", &config, None).unwrap_err().to_string();
    assert!(failure.contains("secret_env"), "{failure}");
    config.auth.secret_env = Some("CONCORD_TEST_NOT_SET".to_owned());
    let failure = Source::open("demo", &config, None).unwrap_err().to_string();
    assert!(
        failure.contains("CONCORD_TEST_NOT_SET is not set"),
        "{failure}"
    );
}

#[test]
fn a_configuration_is_read_with_its_defaults_and_unknown_keys_are_refused() {
    let text = r#"{ "endpoint": "https://example.com/graphql/", "rate": { "per_second": 2.5 },
        "auth": { "kind": "oauth2_refresh", "secret_env": "X", "token_url": "https://example.com/token", "client_id": "c" } }"#;
    let config: SourceConfig = serde_json::from_str(text).unwrap();
    assert_eq!(
        (config.auth.kind, config.rate.per_second, config.rate.burst),
        (AuthKind::Oauth2Refresh, Some(2.5), 5)
    );
    assert_eq!((config.retry.attempts, config.allow_http), (6, false));
    let failure = serde_json::from_str::<SourceConfig>(
        r#"{ "endpoint": "x", "auth": { "secret": "in clear" } }"#,
    );
    let failure = failure.unwrap_err().to_string();
    assert!(
        failure.contains("unknown field `secret`") && failure.contains("secret_env"),
        "{failure}"
    );
}

fn config_for(endpoint: &str) -> SourceConfig {
    let _ = rustls::crypto::ring::default_provider().install_default();
    SourceConfig::new(endpoint)
}
