//! Real servers in temporary folders, started, shared, killed and stopped.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use super::binaries::Places;
use super::server::start_with;
use super::{Embedded, EmbeddedError, lock, start, stop};

/// A folder that the server's account can reach when the tests run as root.
fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("concord-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir()
        .expect("a temporary folder")
}

async fn sql(server: &Embedded, statement: &'static str) {
    let mut connection = server.options().connect().await.expect("a connection");
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .expect("the statement");
    connection.close().await.expect("the end of the connection");
}

async fn number(server: &Embedded, statement: &'static str) -> i64 {
    let mut connection = server.options().connect().await.expect("a connection");
    let number = sqlx::query_scalar(statement)
        .fetch_one(&mut connection)
        .await
        .expect("a number");
    connection.close().await.expect("the end of the connection");
    number
}

fn runs(files: &Path) -> bool {
    lock::try_exclusive(&files.join("server.lock"))
        .expect("the server's lock")
        .is_none()
}

/// Waits for what has no handle to wait on.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "waited in vain until {what}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_is_private_shared_and_stopped_by_the_last_user() {
    let data = folder();
    let (first, second) = tokio::join!(start(data.path()), start(data.path()));
    let (first, second) = (first.expect("a server"), second.expect("the same server"));
    assert_eq!(
        first.postmaster(),
        second.postmaster(),
        "two starts at once give one server"
    );
    let files = first.files().dir.clone();
    assert_eq!(
        files,
        data.path().canonicalize().expect("a path").join("postgres")
    );
    assert!(
        first
            .options()
            .get_socket()
            .is_some_and(|socket| socket.starts_with(&files))
    );
    let password = fs::metadata(files.join("password")).expect("the password's file");
    assert_eq!(password.mode() & 0o777, 0o600);
    assert_eq!(password.uid(), rustix::process::geteuid().as_raw());
    for (setting, expected) in [
        (
            "select count(*) from pg_settings where name = 'listen_addresses' and setting = ''",
            1,
        ),
        (
            "select count(*) from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'on'",
            2,
        ),
        (
            "select count(*) from pg_database where datname = 'concord' and encoding = pg_char_to_encoding('UTF8')",
            1,
        ),
        (
            "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'",
            0,
        ),
        ("select count(*) where lower('É') = 'é'", 1),
        (
            "select count(*) where current_setting('data_checksums') = 'on'",
            1,
        ),
    ] {
        assert_eq!(number(&first, setting).await, expected, "{setting}");
    }
    let stranger = first.options().password("guess").connect().await;
    assert!(stranger.is_err(), "only the password opens the server");

    first.release().await.expect("a release");
    assert!(runs(&files), "the server runs while somebody uses it");
    sql(
        &second,
        "create table kept (n bigint); insert into kept values (7)",
    )
    .await;
    second.release().await.expect("the last release");
    assert!(!runs(&files), "the last user stops the server");

    let third = start(data.path()).await.expect("a server again");
    assert_eq!(number(&third, "select n from kept").await, 7);
    stop(data.path()).await.expect("a stop");
    assert!(!runs(&files), "a stop stops it, whoever uses it");
    let fourth = start(data.path()).await.expect("a server once more");
    third.release().await.expect("a release");
    assert!(
        runs(&files),
        "a share in a server that ended leaves its successor alone"
    );
    drop(fourth);
    until("the dropped share has stopped the server", || !runs(&files)).await;
}

/// The number in the cluster's pid file.
fn pid(cluster: &Path) -> i32 {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).expect("a pid file");
    text.lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .expect("a pid")
}

fn signal(pid: i32, signal: Signal) {
    kill_process(rustix::process::Pid::from_raw(pid).expect("a pid"), signal)
        .expect("a signal sent");
}

/// A living program of the server's own account, whose pid PostgreSQL would take for a postmaster's.
fn bystander(server: &Embedded) -> Child {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    if let Some(account) = server.files().account {
        command.uid(account.uid).gid(account.gid);
    }
    command.spawn().expect("a bystander")
}

#[tokio::test]
async fn a_killed_server_is_recovered_and_a_stale_pid_file_harms_nobody() {
    let data = folder();
    let server = start(data.path()).await.expect("a server");
    let cluster = server.files().cluster();
    sql(
        &server,
        "create table kept (n bigint); insert into kept values (1)",
    )
    .await;
    signal(pid(&cluster), Signal::KILL);
    let again = start(data.path()).await.expect("a recovered server");
    assert_ne!(server.postmaster(), again.postmaster());
    assert_eq!(number(&again, "select count(*) from kept").await, 1);

    sql(&again, "insert into kept values (2)").await;
    signal(pid(&cluster), Signal::KILL);
    let mut bystander = bystander(&again);
    for file in [
        cluster.join("postmaster.pid"),
        again.files().socket().join(".s.PGSQL.5432.lock"),
    ] {
        let stale = fs::read_to_string(&file).expect("a file of the killed server");
        let (_, rest) = stale.split_once('\n').expect("lines");
        fs::write(&file, format!("{}\n{rest}", bystander.id())).expect("a stale file");
    }
    again.release().await.expect("a release");
    server
        .release()
        .await
        .expect("the last release, of a server that is dead");
    stop(data.path()).await.expect("a stop of nothing");

    let renewed = start(data.path())
        .await
        .expect("a server in spite of the stale pid file");
    assert_eq!(number(&renewed, "select count(*) from kept").await, 2);
    renewed.release().await.expect("a release");
    assert!(
        bystander
            .try_wait()
            .expect("the bystander's state")
            .is_none(),
        "the bystander lives on"
    );
    bystander.kill().expect("the bystander is ended");
    bystander.wait().expect("the bystander is gone");
}

/// Not a test of its own: run again by the test below as another process that uses the server.
#[tokio::test]
async fn another_process() {
    if let Some(data) = std::env::var_os("CONCORD_TEST_DATA_DIR") {
        let _server = start(Path::new(&data)).await.expect("a server");
        fs::write(Path::new(&data).join("started"), "").expect("a mark");
        std::future::pending::<()>().await;
    }
}

#[tokio::test]
async fn a_killed_user_leaves_a_server_that_the_next_user_joins_and_stops() {
    let data = folder();
    let mut other = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "embedded::tests::another_process"])
        .env("CONCORD_TEST_DATA_DIR", data.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("another process");
    until("the other process uses the server", || {
        data.path().join("started").exists()
    })
    .await;
    let files = data.path().join("postgres");
    let first = pid(&files.join("cluster"));
    let server = start(data.path()).await.expect("the other's server");
    server.release().await.expect("a release");
    assert!(runs(&files), "the other process still uses it");

    other.kill().expect("the other process is killed");
    other.wait().expect("the other process is gone");
    assert!(runs(&files), "its server survives");
    let server = start(data.path()).await.expect("the orphaned server");
    assert_eq!(pid(&files.join("cluster")), first);
    server.release().await.expect("the last release");
    assert!(!runs(&files));
}

#[tokio::test]
async fn a_long_or_odd_path_and_a_start_broken_off_are_no_obstacle() {
    let data = folder();
    let odd = data
        .path()
        .join(format!("it's \"{}\" $HOME `odd`, \\ é", "long".repeat(22)));
    fs::create_dir_all(odd.join("postgres/cluster.new/base")).expect("a half-made cluster");
    fs::write(odd.join("postgres/cluster.new/PG_VERSION"), "15\n").expect("a half-made cluster");
    fs::set_permissions(odd.join("postgres"), Permissions::from_mode(0o711)).expect("a mode");
    let server = start(&odd).await.expect("a server on a loopback port");
    let options = server.options();
    assert_eq!(
        (options.get_socket(), options.get_host()),
        (None, "127.0.0.1")
    );
    assert_eq!(number(&server, "select count(*) from pg_settings where name = 'unix_socket_directories' and setting = ''").await, 1);
    server.release().await.expect("a release");
}

#[tokio::test]
async fn an_odd_path_of_ordinary_length_keeps_its_socket() {
    let data = folder();
    let odd = data.path().join("it's \"odd\", $x");
    let server = start(&odd).await.expect("a server on a socket");
    assert!(server.options().get_socket().is_some());
    server.release().await.expect("a release");
}

#[tokio::test]
async fn root_keeps_the_cluster_elsewhere_if_its_account_cannot_reach_the_data() {
    if !rustix::process::geteuid().is_root() {
        return; // An ordinary user's server runs as that user, who reaches the folder anyway.
    }
    let closed = folder();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).expect("a mode");
    let server = start(closed.path()).await.expect("a server");
    let files = server.files().dir.clone();
    assert!(files.starts_with("/var/lib/concord"), "{}", files.display());
    fs::set_permissions(closed.path(), Permissions::from_mode(0o755)).expect("a mode");
    let again = start(closed.path()).await.expect("a server");
    assert_eq!(again.files().dir, files, "the place is chosen once");
    again.release().await.expect("a release");
    server.release().await.expect("a release");
    fs::remove_dir_all(files).expect("the cluster is removed");
}

async fn failure(data: &Path, places: &Places) -> String {
    match start_with(data, places).await {
        Ok(_) => panic!("a server started without programs"),
        Err(error) => error
            .to_string()
            .replace(data.to_str().expect("a path"), "DATA"),
    }
}

#[tokio::test]
async fn without_programs_the_message_says_what_to_install() {
    let data = folder();
    fs::create_dir_all(data.path().join("old/9.6/bin")).expect("a folder");
    let places = Places {
        installations: vec![(data.path().join("old"), "")],
        ..Places::default()
    };
    insta::assert_snapshot!("no_binaries", failure(data.path(), &places).await);

    let chosen = Places {
        chosen: Some(data.path().join("old")),
        ..Places::default()
    };
    insta::assert_snapshot!("chosen_binaries", failure(data.path(), &chosen).await);

    let cluster = data.path().join("postgres/cluster");
    fs::create_dir(&cluster).expect("a cluster");
    fs::write(cluster.join("PG_VERSION"), "12\n").expect("a version");
    insta::assert_snapshot!("other_major", failure(data.path(), &places).await);
}

#[test]
fn a_failed_download_keeps_its_cause() {
    let cause: Box<dyn std::error::Error + Send + Sync> = "no route to host".into();
    let error = EmbeddedError::NoBinaries {
        looked: Vec::new(),
        download: Some(cause),
    };
    insta::assert_snapshot!("no_download", error);
    let source = std::error::Error::source(&error).expect("the cause");
    assert_eq!(source.to_string(), "no route to host");
}
