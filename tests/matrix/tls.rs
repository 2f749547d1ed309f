//! Sources whose certificate proves nothing: refused at once, never asked again and again, and told apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::world::{Answer, World};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

/// A server's certificate for a name, valid up to the end of a year.
fn certificate(by: &Authority, name: &str, until: i32) -> ServerConfig {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(until, 12, 31);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .expect("a server's configuration")
}

/// Ends TLS before a plain server. Answers its port, and how often it was called.
async fn before(server: String, config: ServerConfig) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await?;
                let mut server = TcpStream::connect(server).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (port, calls)
}

async fn run(world: &World, trusted: &Authority) -> Answer {
    let file = world.folder().join("authority.pem");
    std::fs::write(&file, trusted.pem()).expect("a file");
    let mut command = world.command(env!("CARGO_BIN_EXE_run_sync"));
    command
        .env("SSL_CERT_FILE", file)
        .args(["--json", "--module", "users"]);
    Answer::of(&mut command).await
}

/// A server that knows no TLS newer than 1.1: it answers the greeting as such servers do, and hangs up.
/// Answers its port, and how often it was called.
async fn of_yesterday(says: &'static [u8]) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let mut greeting = [0; 5];
            if client.read_exact(&mut greeting).await.is_ok() {
                let length = u16::from_be_bytes([greeting[3], greeting[4]]);
                let mut hello = vec![0; usize::from(length)];
                let _ = client.read_exact(&mut hello).await;
                let _ = client.write_all(says).await;
                let _ = client.shutdown().await;
            }
        }
    });
    (port, calls)
}

/// An alert of TLS 1.0: this version of the protocol is not spoken here.
const NO_SUCH_VERSION: &[u8] = &[21, 3, 1, 0, 2, 2, 70];
/// A greeting of TLS 1.0: version, random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
const TLS_1_0: &[u8] = &[
    22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 47, 0,
];

#[tokio::test]
async fn a_version_of_tls_that_is_too_old_is_refused_and_never_agreed_to() {
    let world = World::small().await;
    let endpoint = world.source.running.urls.graphql.clone();
    let (_, rest) = endpoint.split_once("://").expect("a URL");
    let (_, path) = rest.split_once('/').expect("a path");
    let config = world.folder().join("concord.toml");
    let plain = std::fs::read_to_string(&config).expect("a configuration");
    for (label, says) in [("an alert", NO_SUCH_VERSION), ("a greeting", TLS_1_0)] {
        let (port, calls) = of_yesterday(says).await;
        let secure = plain.replace(&endpoint, &format!("https://localhost:{port}/{path}"));
        std::fs::write(&config, secure).expect("a configuration");
        let answer = run(&world, &authority("ours")).await.expect(5);
        let line = answer.module("users");
        let cause = line["cause"].to_string();
        assert_eq!(line["state"], "FAILED", "{label}: {line}");
        assert!(
            cause.contains("TLS 1.2 or 1.3 is needed"),
            "{label}: {cause}"
        );
        let calls = calls.load(Ordering::SeqCst);
        // Once for the schema and once for the first page; none is tried again.
        assert!((1..=2).contains(&calls), "{label}: called {calls} times");
    }
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_once_with_its_fault() {
    let world = World::small().await;
    let endpoint = world.source.running.urls.graphql.clone();
    let (_, rest) = endpoint.split_once("://").expect("a URL");
    let (server, path) = rest.split_once('/').expect("a path");
    let (ours, other) = (authority("ours"), authority("another"));
    let cases = [
        (
            "expired",
            certificate(&ours, "localhost", 2020),
            "expired",
            5,
        ),
        (
            "another host's",
            certificate(&ours, "another.example", 4000),
            "not valid for name",
            5,
        ),
        (
            "signed by a stranger",
            certificate(&other, "localhost", 4000),
            "UnknownIssuer",
            5,
        ),
        (
            "as it should be",
            certificate(&ours, "localhost", 4000),
            "",
            0,
        ),
    ];
    let config = world.folder().join("concord.toml");
    let plain = std::fs::read_to_string(&config).expect("a configuration");
    for (label, certificate, says, code) in cases {
        let (port, calls) = before(server.to_owned(), certificate).await;
        let secure = plain.replace(&endpoint, &format!("https://localhost:{port}/{path}"));
        std::fs::write(&config, secure).expect("a configuration");
        let answer = run(&world, &ours).await.expect(code);
        if code == 0 {
            continue;
        }
        let line = answer.module("users");
        let cause = line["cause"].to_string();
        assert_eq!(line["state"], "FAILED", "{label}: {line}");
        assert!(
            cause.contains("TLS certificate") && cause.contains(says),
            "{label}: {cause}"
        );
        let calls = calls.load(Ordering::SeqCst);
        assert!((1..=2).contains(&calls), "{label}: called {calls} times");
    }
    assert_eq!(
        world
            .count("select count(*) from prod.users where not is_placeholder")
            .await,
        9
    );
}
