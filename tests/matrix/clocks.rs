//! C1 and C3: clocks of hosts that jump, or differ. A library that is loaded before all others moves what a
//! process takes for the time of day; what it measures with and the database's clock stay.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::Command as Build;

use tokio::process::{Child, Command};

use super::meeting::{lease_ends, went_on};
use super::oracle::Trial;
use crate::world::{Answer, World};

const MOVED: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long moved(void) {
    char text[32] = {0};
    int file = open(getenv("CLOCK_MOVED"), O_RDONLY);
    if (file < 0) return 0;
    if (read(file, text, 31) < 0) text[0] = 0;
    close(file);
    return atol(text);
}
int clock_gettime(clockid_t clock, struct timespec *at) {
    int answer = syscall(SYS_clock_gettime, clock, at);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += moved();
    return answer;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"#;

/// A host's clock.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// One that is right; cargo needs the compiler, too.
    fn of(world: &World, host: &str) -> Clock {
        let folder = world.folder();
        let (source, library) = (folder.join("moved.c"), folder.join("moved.so"));
        std::fs::write(&source, MOVED).expect("a source");
        let built = Build::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source)
            .status();
        assert!(built.expect("a compiler").success());
        let clock = Clock {
            library,
            file: folder.join(format!("clock-{host}")),
        };
        clock.moves(0);
        clock
    }

    /// From now on it is so many seconds ahead.
    fn moves(&self, seconds: i64) {
        std::fs::write(&self.file, seconds.to_string()).expect("a clock");
    }

    fn run(&self, world: &World) -> Command {
        let mut command = world.command(env!("CARGO_BIN_EXE_run_sync"));
        command
            .args(["--json", "--module", "clients"])
            .env("LD_PRELOAD", &self.library)
            .env("CLOCK_MOVED", &self.file);
        command
    }

    async fn halted(&self, world: &World, point: &str) -> Child {
        World::halted(&mut self.run(world), point).await
    }
}

/// Every instant that the programs wrote is the database's.
async fn times_hold(world: &World, label: &str) {
    let far = |at: &str| {
        format!("{at} not between now() - interval '20 min' and now() + interval '20 min'")
    };
    let sql = format!(
        "select (select count(*) from ops.runs where {} or {})
              + (select count(*) from staging.pages where {})
              + (select count(*) from ops.leases where {})
              + (select count(*) from prod.clients where {})
              + (select count(*) from history.promotions where {})",
        far("started_at"),
        far("finished_at"),
        far("fetched_at"),
        far("expires_at"),
        far("synced_at"),
        far("created_at"),
    );
    assert_eq!(world.count(&sql).await, 0, "{label}");
}

/// C1: a clock that jumps within a run or between two of them makes nothing wait, nothing come twice and no
/// time wrong.
#[tokio::test]
async fn a_clock_that_jumps_changes_nothing() {
    let mut trial = Trial::begin().await;
    let clock = Clock::of(&trial.world, "one");
    for (from, to) in [
        (0, -3_600),
        (-3_600, 86_400),
        (86_400, 0),
        (0, 86_400),
        (86_400, -3_600),
    ] {
        let label = format!("from {from} to {to} seconds ahead");
        trial.change().await;
        let run = clock.halted(&trial.world, "fetched").await;
        clock.moves(to);
        assert_eq!(went_on(run).await, Some(0), "{label}");
        trial.agrees(&label).await;
        trial.change().await;
        let line = Answer::of(&mut clock.run(&trial.world))
            .await
            .expect(0)
            .module("clients");
        assert_eq!(line["resumed"], false, "{label}: {line}");
        trial.agrees(&label).await;
        times_hold(&trial.world, &label).await;
    }
    let held = "select count(*) from ops.leases where expires_at > clock_timestamp()";
    assert_eq!(trial.world.count(held).await, 0);
}

/// C3: whose clock is ahead does not take a lease for ended, and whose clock is behind does not keep one that
/// has.
#[tokio::test]
async fn hosts_whose_clocks_differ_agree_by_the_databases() {
    let mut trial = Trial::begin().await;
    let [one, two] = ["one", "two"].map(|host| Clock::of(&trial.world, host));
    for (ours, theirs) in [(-600, 600), (600, -600)] {
        let label = format!("one {ours}, the other {theirs} seconds ahead");
        one.moves(ours);
        two.moves(theirs);
        trial.change().await;
        let holder = one.halted(&trial.world, "fetched").await;
        let line = Answer::of(&mut two.run(&trial.world))
            .await
            .expect(75)
            .module("clients");
        assert!(
            line["cause"].to_string().contains("Already running"),
            "{label}: {line}"
        );
        lease_ends(&trial.world, "clients").await;
        Answer::of(&mut two.run(&trial.world)).await.expect(0);
        trial.agrees(&label).await;
        let stood = trial.world.exact().await;
        assert_eq!(went_on(holder).await, Some(5), "{label}");
        assert_eq!(trial.world.exact().await, stood, "{label}");
        times_hold(&trial.world, &label).await;
    }
}
