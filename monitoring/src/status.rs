//! The one place that decides what the status of a module is.

use serde::{Serialize, Serializer};
use staging::RunState;

/// A module is late when this many of its periods passed without a complete run: one, and half of one as
/// grace.
pub const LATE_AFTER_PERIODS: f64 = 1.5;

/// The status of a module, from best to worst: of several signals the greatest is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Complete and balanced, and nothing is set aside.
    Ok,
    /// Complete and balanced, with some records set aside.
    OkQ,
    /// A run is at work.
    Running,
    /// The last run asked to be tried again later.
    Waiting,
    /// No run was ever started.
    Never,
    /// No complete run for more than a period and its grace.
    Late,
    /// A person stopped the last run.
    Cancelled,
    /// The last run did not read everything.
    Partial,
    /// A person must decide before the module goes on.
    Blocked,
    /// A run began, and its process no longer renews its lease.
    Stuck,
    /// The last run failed, or its counts do not add up.
    Failed,
    /// Nothing could be verified.
    Unknown,
}

impl Status {
    /// Every status, from best to worst.
    pub const ALL: [Self; 12] = [
        Self::Ok,
        Self::OkQ,
        Self::Running,
        Self::Waiting,
        Self::Never,
        Self::Late,
        Self::Cancelled,
        Self::Partial,
        Self::Blocked,
        Self::Stuck,
        Self::Failed,
        Self::Unknown,
    ];

    /// The code in JSON and on pages, the same in every language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::OkQ => "OK_Q",
            Self::Running => "RUNNING",
            Self::Waiting => "WAITING",
            Self::Never => "NEVER",
            Self::Late => "LATE",
            Self::Cancelled => "CANCELLED",
            Self::Partial => "PARTIAL",
            Self::Blocked => "BLOCKED",
            Self::Stuck => "STUCK",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What goes on in a module now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// No run is open.
    Idle,
    /// A run is open and its process renews the lease.
    Running,
    /// A run is open and its lease has expired.
    Abandoned,
}

/// The last run that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// The state it ended in.
    pub state: RunState,
    /// Whether it read everything it set out to read.
    pub complete: bool,
    /// Whether its counts add up.
    pub balanced: bool,
}

/// Everything a status depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// What goes on now.
    pub activity: Activity,
    /// The last run that ended, if any did.
    pub last: Option<LastRun>,
    /// Periods since the last complete run or, before there was one, since the first run began;
    /// `None` where no period is expected or nothing ever ran.
    pub periods: Option<f64>,
    /// Change sets that wait for a person.
    pub approvals: i64,
    /// Records in quarantine, parking or review.
    pub set_aside: i64,
}

/// The status of a module: the worst of what its run, its age and its waiting records say.
pub fn status(facts: &Facts) -> Status {
    let signals = [
        Some(of_the_run(facts)),
        facts
            .periods
            .filter(|periods| *periods > LATE_AFTER_PERIODS)
            .map(|_| Status::Late),
        (facts.approvals > 0).then_some(Status::Blocked),
        (facts.set_aside > 0).then_some(Status::OkQ),
    ];
    worst(signals.into_iter().flatten())
}

/// The worst of several statuses; without any, nothing is verified.
pub fn worst(statuses: impl IntoIterator<Item = Status>) -> Status {
    statuses.into_iter().max().unwrap_or(Status::Unknown)
}

fn of_the_run(facts: &Facts) -> Status {
    match (facts.activity, facts.last) {
        (Activity::Abandoned, _) => Status::Stuck,
        (Activity::Running, _) => Status::Running,
        (Activity::Idle, None) => Status::Never,
        (Activity::Idle, Some(last)) => of_the_last_run(last),
    }
}

fn of_the_last_run(last: LastRun) -> Status {
    match last.state {
        RunState::Ok | RunState::OkQ if !last.balanced => Status::Failed,
        RunState::Ok | RunState::OkQ if !last.complete => Status::Partial,
        // What is set aside now counts, not what was set aside then: the signal of `set_aside` says it.
        RunState::Ok | RunState::OkQ => Status::Ok,
        RunState::Partial => Status::Partial,
        RunState::Blocked => Status::Blocked,
        RunState::Waiting => Status::Waiting,
        RunState::Failed => Status::Failed,
        RunState::Cancelled => Status::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: RunState) -> Facts {
        Facts {
            activity: Activity::Idle,
            last: Some(LastRun {
                state,
                complete: true,
                balanced: true,
            }),
            periods: Some(0.4),
            approvals: 0,
            set_aside: 0,
        }
    }

    #[test]
    fn the_status_of_a_module_is_decided_by_one_table() {
        let good = ended(RunState::Ok);
        let never = Facts {
            last: None,
            periods: None,
            ..good
        };
        let running = Facts {
            activity: Activity::Running,
            ..good
        };
        let torn = Facts {
            last: Some(LastRun {
                state: RunState::Ok,
                complete: true,
                balanced: false,
            }),
            ..good
        };
        let short = Facts {
            last: Some(LastRun {
                state: RunState::Ok,
                complete: false,
                balanced: true,
            }),
            ..good
        };
        let late = |facts: Facts| Facts {
            periods: Some(1.51),
            ..facts
        };
        let abandoned = |facts: Facts| Facts {
            activity: Activity::Abandoned,
            ..facts
        };
        let cases = [
            ("never ran", never, Status::Never),
            (
                "first run at work",
                Facts {
                    activity: Activity::Running,
                    ..never
                },
                Status::Running,
            ),
            ("first run died", abandoned(never), Status::Stuck),
            ("all is well", good, Status::Ok),
            (
                "without a period it is never late",
                Facts {
                    periods: None,
                    ..good
                },
                Status::Ok,
            ),
            (
                "within the grace",
                Facts {
                    periods: Some(1.5),
                    ..good
                },
                Status::Ok,
            ),
            ("beyond the grace", late(good), Status::Late),
            (
                "records set aside",
                Facts {
                    set_aside: 1,
                    ..good
                },
                Status::OkQ,
            ),
            (
                "set aside then, settled since",
                ended(RunState::OkQ),
                Status::Ok,
            ),
            (
                "set aside and late",
                late(Facts {
                    set_aside: 1,
                    ..good
                }),
                Status::Late,
            ),
            ("counts do not add up", torn, Status::Failed),
            ("said OK, but not complete", short, Status::Partial),
            ("incomplete", ended(RunState::Partial), Status::Partial),
            (
                "incomplete and late",
                late(ended(RunState::Partial)),
                Status::Partial,
            ),
            ("blocked", ended(RunState::Blocked), Status::Blocked),
            (
                "a decision waits after a good run",
                Facts {
                    approvals: 1,
                    ..good
                },
                Status::Blocked,
            ),
            (
                "a decision waits during a run",
                Facts {
                    approvals: 1,
                    ..running
                },
                Status::Blocked,
            ),
            ("waiting", ended(RunState::Waiting), Status::Waiting),
            (
                "waiting too long",
                late(ended(RunState::Waiting)),
                Status::Late,
            ),
            ("failed", ended(RunState::Failed), Status::Failed),
            (
                "failed, and a decision waits",
                Facts {
                    approvals: 1,
                    ..ended(RunState::Failed)
                },
                Status::Failed,
            ),
            (
                "failed and late",
                late(ended(RunState::Failed)),
                Status::Failed,
            ),
            ("cancelled", ended(RunState::Cancelled), Status::Cancelled),
            ("running after success", running, Status::Running),
            (
                "running after failure",
                Facts {
                    activity: Activity::Running,
                    ..ended(RunState::Failed)
                },
                Status::Running,
            ),
            ("running for too long", late(running), Status::Late),
            ("died on the way", abandoned(good), Status::Stuck),
            (
                "died after a failure",
                abandoned(ended(RunState::Failed)),
                Status::Stuck,
            ),
            ("died and late", abandoned(late(good)), Status::Stuck),
        ];
        for (label, facts, expected) in cases {
            assert_eq!(status(&facts), expected, "{label}");
        }
    }

    #[test]
    fn only_what_is_verified_complete_is_good() {
        for state in [
            "OK",
            "OK_Q",
            "PARTIAL",
            "BLOCKED",
            "WAITING",
            "FAILED",
            "CANCELLED",
        ] {
            let state: RunState = serde_json::from_str(&format!("\"{state}\"")).expect("a state");
            for (complete, balanced) in [(true, true), (true, false), (false, true), (false, false)]
            {
                let last = Some(LastRun {
                    state,
                    complete,
                    balanced,
                });
                let good = status(&Facts {
                    last,
                    ..ended(state)
                }) <= Status::OkQ;
                let expected = complete && balanced && state <= RunState::OkQ;
                assert_eq!(
                    good, expected,
                    "{state:?}, complete {complete}, balanced {balanced}"
                );
            }
        }
    }

    #[test]
    fn the_list_of_all_is_in_order_and_nothing_at_all_is_unknown() {
        assert!(Status::ALL.is_sorted());
        assert_eq!(worst(Status::ALL), Status::Unknown);
        assert_eq!(
            worst([Status::Ok, Status::Failed, Status::Late]),
            Status::Failed
        );
        assert_eq!(worst([]), Status::Unknown);
    }
}
