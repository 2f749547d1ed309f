//! Opening and migrating, against real servers.

use std::error::Error;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use sqlx::migrate::Migrator;
use tempfile::TempDir;

use super::open::open_with;
use super::{DatabaseConfig, OpenError, query, query_scalar};

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("concord-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary folder")
}

fn embedded(data: &Path) -> DatabaseConfig {
    DatabaseConfig {
        data_dir: data.to_owned(),
        ..DatabaseConfig::default()
    }
}

/// A migrator of the given files, with the ledger where ours is.
async fn migrator(files: &[(&str, &str)]) -> Migrator {
    let dir = folder();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).expect("a migration");
    }
    let files = Migrator::new(dir.path()).await.expect("a migrator");
    Migrator {
        migrations: files.migrations,
        ..super::migrate::empty()
    }
}

/// The address of an embedded server, with parts to spoil.
fn url(data: &Path, user: &str, password: &str, place: &str, database: &str, more: &str) -> String {
    let socket = data.join("postgres/socket");
    let socket = url::form_urlencoded::byte_serialize(socket.to_str().expect("a path").as_bytes())
        .collect::<String>();
    let place = if place.is_empty() { &socket } else { place };
    format!("postgres://{user}:{password}@{place}/{database}{more}")
}

fn password(data: &Path) -> String {
    fs::read_to_string(data.join("postgres/password")).expect("the password")
}

/// Everything that a log or a terminal could show of an error.
fn shown(error: &OpenError) -> String {
    let mut text = format!("{error}\n{error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!("\n{error}\n{error:?}"));
        source = error.source();
    }
    text
}

async fn refusal(url: String) -> OpenError {
    let config = DatabaseConfig {
        url: Some(url),
        ..DatabaseConfig::default()
    };
    assert!(!format!("{config:?}").contains("postgres://"));
    match open_with(&config, &migrator(&[]).await).await {
        Ok(_) => panic!("the database opened"),
        Err(error) => error,
    }
}

const ONE: (&str, &str) = (
    "0001_one.sql",
    "create table one (n bigint); insert into one values (1);",
);
const TWO: (&str, &str) = (
    "0002_two.sql",
    "create table two (n bigint); -- a comment\ninsert into two select n from one;",
);

#[tokio::test]
async fn migrations_run_once_and_a_newer_an_edited_or_an_unknown_one_is_refused() {
    let data = folder();
    let config = embedded(data.path());
    let first = open_with(&config, &migrator(&[ONE]).await)
        .await
        .expect("a database");
    let upgrade = migrator(&[ONE, TWO]).await;
    let runs = (0..6).map(|_| super::migrate_with(&upgrade, &first.pool));
    for outcome in futures::future::join_all(runs).await {
        outcome.expect("each of six runs at once finds or makes the newest schema");
    }
    let mut tx = first.pool.begin().await.expect("a transaction");
    let count: i64 = query_scalar("select count(*) from two")
        .fetch_one(&mut *tx)
        .await
        .expect("a count");
    let ledger: Vec<i64> = query_scalar("select version from concord.migrations order by version")
        .fetch_all(&mut *tx)
        .await
        .expect("the ledger");
    assert_eq!((count, ledger), (1, vec![1, 2]));
    tx.rollback().await.expect("the end");

    let refused = async |files: &[(&str, &str)]| {
        let migrator = migrator(files).await;
        super::migrate_with(&migrator, &first.pool)
            .await
            .expect_err("a refusal")
            .to_string()
    };
    insta::assert_snapshot!("newer_schema", refused(&[ONE]).await);
    insta::assert_snapshot!(
        "edited_migration",
        refused(&[("0001_one.sql", "select 1"), TWO]).await
    );
    insta::assert_snapshot!(
        "unknown_migration",
        refused(&[ONE, ("0003_three.sql", "select 1")]).await
    );
    let broken = [
        ONE,
        TWO,
        ("0003_three.sql", "create table three ()"),
        ("0004_four.sql", "select 1/0"),
    ];
    insta::assert_snapshot!("failed_migration", refused(&broken).await);
    let mut tx = first.pool.begin().await.expect("a transaction");
    let half: bool = query_scalar("select to_regclass('three') is not null")
        .fetch_one(&mut *tx)
        .await
        .expect("an answer");
    assert!(!half, "a failed upgrade leaves nothing behind");
    tx.rollback().await.expect("the end");
    first.close().await.expect("a close");

    match open_with(&config, &migrator(&[ONE]).await).await {
        Err(OpenError::NewerSchema {
            database: 2,
            binary: 1,
        }) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("an old binary opened a newer schema"),
    }
}

#[tokio::test]
async fn failures_to_open_say_what_to_do_and_never_the_password() {
    let data = folder();
    let database = open_with(&embedded(data.path()), &migrator(&[]).await)
        .await
        .expect("a database");
    let secret = password(data.path());
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port");
    let closed = closed.to_string();
    let data_dir = data.path();
    let cases = [
        (
            "wrong_password",
            url(data_dir, "concord", "s3cr3t-guess", "", "concord", ""),
        ),
        (
            "missing_database",
            url(data_dir, "concord", &secret, "", "absent", ""),
        ),
        (
            "unreachable",
            url(data_dir, "concord", &secret, &closed, "concord", ""),
        ),
        (
            "no_tls",
            url(
                data_dir,
                "concord",
                &secret,
                "",
                "concord",
                "?sslmode=require",
            ),
        ),
        (
            "bad_mode",
            url(
                data_dir,
                "concord",
                &secret,
                "",
                "concord",
                "?sslmode=perhaps",
            ),
        ),
        (
            "bad_url",
            format!("postgres://concord:{secret}@host:port/concord"),
        ),
    ];
    for (label, url) in cases {
        let error = refusal(url).await;
        for hidden in [&secret, "s3cr3t-guess"] {
            assert!(
                !shown(&error).contains(hidden),
                "{label} shows the password"
            );
        }
        let text = error
            .to_string()
            .replace(&closed, "HOST:PORT")
            .replace(data_dir.to_str().expect("a path"), "DATA");
        insta::assert_snapshot!(label, text);
    }
    let config = DatabaseConfig {
        url: Some(url(data_dir, "concord", &secret, "", "concord", "")),
        root_certificate: Some("absent/authority.pem".into()),
        ..DatabaseConfig::default()
    };
    let error = open_with(&config, &migrator(&[]).await)
        .await
        .map(|_| ())
        .expect_err("a refusal");
    insta::assert_snapshot!("absent_certificate", error);
    database.close().await.expect("a close");
}

/// Ends the pooler however the test ends.
struct Pooler(Child);

impl Drop for Pooler {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// PgBouncer in transaction mode with two server sessions, in front of the embedded server of `data`.
async fn pooler(data: &Path) -> (Pooler, PathBuf) {
    let cluster = data
        .join("postgres/cluster")
        .metadata()
        .expect("the cluster");
    let dir = data.join("pooler");
    fs::create_dir(&dir).expect("a folder");
    let secret = password(data);
    let settings = format!(
        "[databases]\nconcord = host={socket} port=5432 user=concord password={secret}\n\
         [pgbouncer]\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir = {dir}\nlisten_port = 6432\n\
         auth_type = scram-sha-256\nauth_file = {dir}/users\n",
        socket = data.join("postgres/socket").display(),
        dir = dir.display(),
    );
    fs::write(dir.join("settings.ini"), settings).expect("settings");
    fs::write(dir.join("users"), format!("\"concord\" \"{secret}\"\n")).expect("users");
    for path in [dir.clone(), dir.join("settings.ini"), dir.join("users")] {
        chown(path, Some(cluster.uid()), Some(cluster.gid())).expect("an owner");
    }
    let program = [
        "/usr/sbin/pgbouncer",
        "/opt/homebrew/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ]
    .into_iter()
    .find(|program| Path::new(program).exists())
    .unwrap_or("pgbouncer");
    let mut command = Command::new(program);
    command
        .arg("--quiet")
        .arg(dir.join("settings.ini"))
        .current_dir(&dir);
    if rustix::process::geteuid().is_root() {
        command.uid(cluster.uid()).gid(cluster.gid());
    }
    let child = command.spawn().expect(
        "this test needs PgBouncer: `apt-get install pgbouncer` or `brew install pgbouncer`",
    );
    let mut pooler = Pooler(child);
    while std::os::unix::net::UnixStream::connect(dir.join(".s.PGSQL.6432")).is_err() {
        assert!(
            pooler.0.try_wait().expect("the pooler's state").is_none(),
            "the pooler ended"
        );
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    (pooler, dir)
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_carries_migrations_and_statements_of_many_clients() {
    let data = folder();
    let direct = crate::embedded::start(data.path()).await.expect("a server");
    let (pooler, dir) = pooler(data.path()).await;
    let dir = url::form_urlencoded::byte_serialize(dir.to_str().expect("a path").as_bytes())
        .collect::<String>();
    let url = format!(
        "postgres://concord:{}@{dir}:6432/concord",
        password(data.path())
    );
    let config = DatabaseConfig {
        url: Some(url.clone()),
        max_connections: 4,
        ..DatabaseConfig::default()
    };
    let migrator = migrator(&[ONE, TWO]).await;
    let opens = (0..4).map(|_| open_with(&config, &migrator));
    let clients: Vec<_> = futures::future::join_all(opens)
        .await
        .into_iter()
        .map(|client| client.unwrap_or_else(|error| panic!("{}", shown(&error))))
        .collect();
    let work = (0..200_i64).map(|n| {
        let pool = &clients[usize::try_from(n).expect("small") % clients.len()].pool;
        async move {
            let mut tx = pool.begin().await?;
            query("insert into one values ($1)")
                .bind(n)
                .execute(&mut *tx)
                .await?;
            let back: i64 = query_scalar("select n from one where n = $1 limit 1")
                .bind(n)
                .fetch_one(&mut *tx)
                .await?;
            assert_eq!(back, n);
            tx.commit().await
        }
    });
    for outcome in futures::future::join_all(work).await {
        outcome.expect("a transaction through the pooler");
    }
    let wrong = refusal(url.replace(&password(data.path()), "s3cr3t-guess")).await;
    assert!(
        matches!(wrong, OpenError::Refused { .. }),
        "{}",
        shown(&wrong)
    );
    let absent = refusal(format!("{url}-absent")).await;
    assert!(
        matches!(absent, OpenError::DatabaseMissing { .. }),
        "{}",
        shown(&absent)
    );
    for client in clients {
        client.close().await.expect("a close");
    }
    drop(pooler);
    direct.release().await.expect("a release");
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn ids_of_sources_are_compared_as_bytes(pool: sqlx::PgPool) -> sqlx::Result<()> {
    let others: Vec<String> = query_scalar(
        "select format('%s.%s', t.oid::regclass, a.attname)
         from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
         where t.relnamespace::regnamespace::text in ('ops', 'staging', 'history', 'prod')
           and t.relkind in ('r', 'p') and a.atttypid = 'text'::regtype and a.attname in ('source_id', 'waits_id', 'from_id', 'into_id')
           and a.attcollation <> 'pg_catalog.\"C\"'::regcollation
         order by 1",
    )
    .fetch_all(&pool)
    .await?;
    assert_eq!(others, [] as [&str; 0]);
    Ok(())
}
