use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::{ask, modules, monitor};
use crate::{bind, serve};

/// A pool whose server is away, and whose address and user must not be shown to anybody.
async fn away() -> sqlx::PgPool {
    let port = bind(0)
        .await
        .expect("a free port")
        .local_addr()
        .expect("an address")
        .port();
    let options = PgConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username("secret_user")
        .password("secret_word");
    PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy_with(options)
}

#[tokio::test]
async fn a_database_that_is_away_is_said_and_its_text_is_not() {
    let monitor = monitor(&away().await, modules());
    assert_eq!(ask(&monitor, "/livez", &[]).await.status, 200);
    assert_eq!(ask(&monitor, "/style.css", &[]).await.status, 200);
    let answers = [
        ("/", "The database does not answer"),
        ("/?lang=fr", "La base de données ne répond pas"),
        ("/api/v1/health", "\"status\":\"UNKNOWN\""),
        ("/api/v6/health", "\"modules\":{}"),
        ("/readyz", "not ready"),
        ("/readyz?verbose=1", "[-] database failed"),
        ("/metrics", "The database does not answer"),
    ];
    for (path, sentence) in answers {
        let answer = ask(&monitor, path, &[]).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.text.contains(sentence), "{path}: {}", answer.text);
        for secret in ["secret_", "onnection", "os error", "timed out", "127.0.0.1"] {
            assert!(!answer.text.contains(secret), "{path} shows {secret}");
        }
    }
    insta::assert_snapshot!(
        "away_french",
        super::redacted(&ask(&monitor, "/?lang=fr", &[]).await.text)
    );
}

#[tokio::test]
async fn the_server_answers_until_it_is_asked_to_stop() {
    let listener = bind(0).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        stopped.await.expect("the sign to stop");
    };
    let server = tokio::spawn(serve(listener, monitor(&away().await, modules()), shutdown));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(
        answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"),
        "{answer}"
    );
    stop.send(()).expect("a server that listens");
    server.await.expect("an end").expect("a clean end");
    assert!(TcpStream::connect(address).await.is_err());
}
