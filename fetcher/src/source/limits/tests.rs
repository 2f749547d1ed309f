//! Every kind of limit in simulated time: the permitted rate is used fully, and no request is refused.

mod hosts;
mod late;
mod untold;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::hints::{Hints, PointsHint, WindowHint};
use super::limiter::{Admission, LimiterState, Permit, Priority};
use super::rate_share::RateShare;
use crate::source::request_policy::{BreakerConfig, Rate, RequestPolicy, RetryConfig};

const BEGIN: f64 = 1_770_000_000.25;
/// Windows do not begin with the second.
const PHASE: f64 = 0.3;

/// How a simulated source limits.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Fixed,
    Sliding,
    /// Points per second, up to as many as the limit; what a question costs is its kind's.
    Points,
}

/// What it says of its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Says {
    /// Limit, remaining, reset in whole seconds, and the length.
    Policy,
    /// As above without the length.
    Plain,
    Cost,
    Nothing,
}

struct Simulated {
    kind: Kind,
    says: Says,
    limit: f64,
    length: f64,
    arrivals: Vec<f64>,
    level: f64,
    at: f64,
    used: f64,
    refused: u32,
    /// Of the machine that asks: one timer in four is late by up to so many seconds.
    late: f64,
}

impl Simulated {
    fn new(kind: Kind, says: Says, limit: f64, length: f64) -> Simulated {
        Simulated {
            kind,
            says,
            limit,
            length,
            arrivals: Vec::new(),
            level: limit,
            at: BEGIN,
            used: 0.0,
            refused: 0,
            late: 0.0,
        }
    }

    /// Whether a request that arrives now is served, and what the answer says.
    fn ask(&mut self, now: f64, cost: f64) -> (bool, Hints) {
        let begin = match self.kind {
            Kind::Fixed => ((now - PHASE) / self.length).floor() * self.length + PHASE,
            _ => now - self.length,
        };
        self.arrivals.retain(|at| *at > begin);
        let per_second = self.limit / self.length;
        self.level = (self.level + (now - self.at) * per_second).min(self.limit);
        self.at = now;
        let served = match self.kind {
            Kind::Points => self.level >= cost,
            _ => self.arrivals.len() < self.limit as usize,
        };
        if served {
            self.arrivals.push(now);
            self.used += cost;
            self.level -= if matches!(self.kind, Kind::Points) {
                cost
            } else {
                0.0
            };
        } else {
            self.refused += 1;
        }
        let resets_at = match self.kind {
            Kind::Fixed => begin + self.length,
            _ => self.arrivals.first().copied().unwrap_or(now) + self.length,
        };
        let window = WindowHint {
            limit: Some(self.limit),
            remaining: self.limit - self.arrivals.len() as f64,
            resets_in: Some(match self.says {
                // Seconds of the epoch, rounded up.
                Says::Plain => resets_at.ceil() - now,
                _ => (resets_at - now).ceil(),
            }),
            length: (self.says == Says::Policy).then_some(self.length),
            ..WindowHint::default()
        };
        let points = PointsHint {
            capacity: self.limit,
            available: self.level.floor(),
            restore: per_second,
            requested: cost,
            actual: None,
        };
        let hints = Hints {
            windows: match self.says {
                Says::Policy | Says::Plain => vec![window],
                _ => vec![],
            },
            points: (self.says == Says::Cost).then_some(points),
            ahead: None,
        };
        (served, hints)
    }
}

/// One stream of requests, each sent when the one before is answered.
struct Stream {
    host: usize,
    kind: &'static str,
    cost: f64,
    priority: Priority,
    came: f64,
    wakes: f64,
    phase: Phase,
    served: u32,
}

/// Where a stream's request is.
enum Phase {
    Wants,
    Waits(Permit),
    OnItsWay(Permit),
    Answered(Permit, bool, Hints),
}

impl Stream {
    fn new(kind: &'static str, cost: f64, priority: Priority) -> Stream {
        Stream {
            host: 0,
            kind,
            cost,
            priority,
            came: BEGIN,
            wakes: BEGIN,
            phase: Phase::Wants,
            served: 0,
        }
    }
}

fn rules(per_second: Option<f64>) -> RequestPolicy {
    RequestPolicy {
        rate: Rate {
            per_second,
            burst: 5,
        },
        retry: RetryConfig {
            longest_wait_seconds: 4000,
            ..RetryConfig::default()
        },
        breaker: BreakerConfig::default(),
    }
}

/// Lets the streams ask for so many seconds.
fn simulate(
    source: &mut Simulated,
    streams: &mut [Stream],
    rules: &RequestPolicy,
    seconds: f64,
    seed: u64,
) {
    simulate_hosts(source, streams, rules, seconds, seed, &[]);
}

/// What hosts are told: when, which one, its part, and the part it would be due.
type Told = (f64, usize, RateShare, RateShare);

/// As [`simulate`], with streams on several hosts, each with an account of its own.
fn simulate_hosts(
    source: &mut Simulated,
    streams: &mut [Stream],
    rules: &RequestPolicy,
    seconds: f64,
    seed: u64,
    told: &[Told],
) {
    let mut rng = StdRng::seed_from_u64(seed);
    let hosts = streams.iter().map(|stream| stream.host).max().unwrap_or(0);
    let mut states = vec![LimiterState::default(); hosts + 1];
    let mut told = told.iter().peekable();
    loop {
        let next = streams
            .iter_mut()
            .min_by(|a, b| a.wakes.total_cmp(&b.wakes))
            .expect("a stream");
        let now = next.wakes;
        if now > BEGIN + seconds {
            return;
        }
        while let Some((at, host, part, due)) = told.next_if(|told| BEGIN + told.0 <= now) {
            states[*host].look(BEGIN + at);
            states[*host].tell(*part, *due, BEGIN + at);
        }
        let state = &mut states[next.host];
        // As in the file that processes share, where a number may come back another in its last digit.
        if rng.random_ratio(1, 20) {
            *state = serde_json::from_slice(&serde_json::to_vec(state).expect("JSON"))
                .expect("the same");
        }
        state.look(now);
        match std::mem::replace(&mut next.phase, Phase::Wants) {
            Phase::OnItsWay(permit) => {
                let (served, hints) = source.ask(now, next.cost);
                next.wakes = now + rng.random_range(0.002..0.004);
                next.phase = Phase::Answered(permit, served, hints);
                continue;
            }
            Phase::Waits(permit) => {
                state.is_held(&permit, now);
                next.wakes = now + rng.random_range(0.0020..0.0030);
                next.phase = Phase::OnItsWay(permit);
                continue;
            }
            Phase::Answered(permit, served, hints) => {
                state.answered(&permit, &hints, now);
                match served {
                    true => state.served(),
                    false => state.refused(None, now),
                }
                next.served += u32::from(served);
                next.came = now;
            }
            Phase::Wants => {}
        }
        match state.step(now, rules, next.kind, next.priority, next.came) {
            Admission::Granted(permit) => {
                // Timers are late by up to a millisecond and a half, and the way takes as long as it takes.
                next.wakes = permit.go.max(now) + rng.random_range(0.000..0.0015);
                if source.late > 0.0 && rng.random_ratio(1, 4) {
                    next.wakes += rng.random_range(0.0..source.late);
                }
                next.phase = Phase::Waits(permit);
            }
            Admission::WaitUntil(at) => next.wakes = at.max(now + 0.0001),
            other => panic!("{other:?}"),
        }
    }
}

/// Share of the permitted requests or points that was used, beginning after one window.
fn steady_share(
    source: &mut Simulated,
    streams: &mut [Stream],
    rules: &RequestPolicy,
    seed: u64,
) -> f64 {
    let seconds = (source.length * 6.0).max(60.0);
    simulate(source, streams, rules, seconds, seed);
    source.used / (source.limit / source.length * seconds)
}

#[test]
fn the_permitted_rate_is_used_to_the_last_request_and_none_is_refused() {
    let one = || vec![Stream::new("a", 1.0, Priority::Scheduled)];
    let three = || {
        let stream = |_| Stream::new("a", 1.0, Priority::Scheduled);
        (0..3).map(stream).collect::<Vec<_>>()
    };
    let costly = || {
        vec![
            Stream::new("a", 42.0, Priority::Scheduled),
            Stream::new("b", 310.0, Priority::Scheduled),
        ]
    };
    type Case = (Kind, Says, f64, f64, Option<f64>, fn() -> Vec<Stream>);
    let cases: [Case; 15] = [
        (Kind::Fixed, Says::Plain, 200.0, 10.0, None, one),
        (Kind::Fixed, Says::Plain, 300.0, 30.0, None, one),
        (Kind::Sliding, Says::Plain, 200.0, 10.0, None, three),
        (Kind::Fixed, Says::Policy, 20.0, 1.0, None, one),
        (Kind::Fixed, Says::Policy, 100.0, 10.0, None, one),
        (Kind::Fixed, Says::Policy, 600.0, 60.0, None, three),
        (Kind::Fixed, Says::Plain, 600.0, 60.0, None, three),
        (Kind::Fixed, Says::Plain, 20.0, 1.0, None, one),
        (Kind::Sliding, Says::Policy, 20.0, 1.0, None, one),
        (Kind::Sliding, Says::Policy, 100.0, 10.0, None, three),
        (Kind::Sliding, Says::Policy, 600.0, 60.0, None, one),
        (Kind::Fixed, Says::Plain, 5000.0, 3600.0, Some(50.0), one),
        (Kind::Fixed, Says::Policy, 20.0, 1.0, Some(1000.0), three),
        (Kind::Points, Says::Cost, 1000.0, 10.0, None, costly),
        (Kind::Points, Says::Cost, 2000.0, 20.0, Some(1000.0), one),
    ];
    for (number, (kind, says, limit, length, per_second, streams)) in cases.into_iter().enumerate()
    {
        for seed in 0..3 {
            let mut source = Simulated::new(kind, says, limit, length);
            let share = steady_share(&mut source, &mut streams(), &rules(per_second), seed);
            let label =
                format!("case {number} {kind:?} {says:?} {limit} in {length} s, seed {seed}");
            println!("{label}: {share:.4}, {} refused", source.refused);
            assert_eq!(source.refused, 0, "{label}");
            // The first window is spent finding out; nothing else may be left.
            let found_out = 1.0 / 6.0 + 0.01;
            // Never known for sure: a sliding window of unknown length, and one as short as its reset's unit.
            let vague = says == Says::Plain && (length <= 1.0 || matches!(kind, Kind::Sliding));
            let least = if vague {
                0.5
            } else if length > 10.0 {
                1.0 - found_out
            } else {
                0.985
            };
            assert!(share >= least, "{label}: {share}");
        }
    }
}

#[test]
fn scheduled_work_goes_before_a_backfill_which_is_not_starved() {
    let mut source = Simulated::new(Kind::Sliding, Says::Policy, 10.0, 1.0);
    let mut streams = vec![
        Stream::new("backfill", 1.0, Priority::Backfill),
        Stream::new("backfill", 1.0, Priority::Backfill),
        Stream::new("hourly", 1.0, Priority::Scheduled),
    ];
    simulate(&mut source, &mut streams, &rules(None), 60.0, 1);
    let backfill = streams[0].served + streams[1].served;
    println!("backfill {backfill}, hourly {}", streams[2].served);
    assert!(streams[2].served > 450, "the hourly run keeps its rate");
    assert!(backfill > 30, "and the backfill moves on");
    assert_eq!(source.refused, 0);
}

#[test]
fn others_who_use_the_same_limit_are_noticed() {
    let mut source = Simulated::new(Kind::Fixed, Says::Policy, 100.0, 60.0);
    // Half the window is gone before we come.
    source.arrivals = vec![BEGIN + 0.1; 50];
    let mut streams = vec![Stream::new("a", 1.0, Priority::Scheduled)];
    simulate(&mut source, &mut streams, &rules(None), 40.0, 1);
    assert_eq!(source.refused, 0);
    assert!(streams[0].served <= 50);
}

#[test]
fn a_clock_set_back_makes_nobody_wait() {
    let mut state = LimiterState::default();
    let rules = rules(Some(1.0));
    for second in 0..3 {
        state.look(BEGIN + f64::from(second));
        let step = state.step(
            BEGIN + f64::from(second),
            &rules,
            "a",
            Priority::Scheduled,
            BEGIN,
        );
        assert!(matches!(step, Admission::Granted(_)), "{step:?}");
        if let Admission::Granted(permit) = step {
            state.answered(&permit, &Hints::default(), BEGIN + f64::from(second) + 0.1);
        }
    }
    let earlier = BEGIN - 3600.0;
    state.look(earlier);
    match state.step(earlier, &rules, "a", Priority::Scheduled, earlier) {
        Admission::Granted(permit) => assert!(permit.go - earlier < 10.0, "{permit:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn absurd_pauses_are_capped_and_told() {
    let rules = RequestPolicy {
        retry: RetryConfig::default(),
        ..rules(None)
    };
    let mut state = LimiterState::default();
    state.look(BEGIN);
    state.refused(Some(1e9), BEGIN);
    let step = state.step(BEGIN, &rules, "a", Priority::Scheduled, BEGIN);
    assert_eq!(
        step,
        Admission::Exhausted {
            until: BEGIN + 3600.0
        }
    );
}
