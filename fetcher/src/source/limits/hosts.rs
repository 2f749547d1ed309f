//! What hosts that share a source tell each other about it.

use super::gate::Limits;
use super::limiter::LimiterState;
use super::rate_share::RateShare;

/// A pause must be longer by this many seconds to count as news, since clocks differ and messages take time.
const NEAR: f64 = 0.5;

/// Seconds without a request after which a host counts as idle: as long as a page may take.
const IDLE: f64 = 5.0;

/// What a host reports about a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// Identifies this host's limiter state; all processes that share it report the same id.
    pub id: String,
    /// Whether a process of this host needs the source now.
    pub wanted: bool,
    /// What the source asked for.
    pub pauses: Pauses,
}

/// For how long no host should ask a source. Seconds are relative to now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pauses {
    /// Seconds of the pause the source asked for.
    pub held: f64,
    /// Seconds since the breaker opened, seconds until the next request, and the cause.
    pub left_alone: Option<(f64, f64, String)>,
}

impl Pauses {
    /// Whether this is longer than `other`.
    pub fn exceed(&self, other: &Pauses) -> bool {
        let until = |pauses: &Pauses| {
            pauses
                .left_alone
                .as_ref()
                .map_or(0.0, |(_, until, _)| *until)
        };
        self.held > other.held + NEAR || until(self) > until(other) + NEAR
    }

    fn of(state: &LimiterState, now: f64) -> Pauses {
        let breaker = &state.breaker;
        let open = breaker.since.filter(|_| breaker.until > now);
        Pauses {
            held: (state.held_until - now).max(0.0),
            left_alone: open.map(|since| (now - since, breaker.until - now, breaker.cause.clone())),
        }
    }
}

impl Limits {
    /// What this host reports to the others.
    pub(crate) fn presence(&self) -> Presence {
        self.with(|state, now| Presence {
            id: state.id.clone(),
            wanted: state.wanted_until + IDLE > now,
            pauses: Pauses::of(state, now),
        })
    }

    /// Sets this host's share and its fair share, and takes over the pauses that other hosts report.
    pub(crate) fn keep_to(&self, part: RateShare, due: RateShare, heard: &Pauses) {
        self.with(|state, now| {
            state.tell(part, due, now);
            if !heard.exceed(&Pauses::of(state, now)) {
                return;
            }
            state.held_until = state.held_until.max(now + heard.held.min(3600.0));
            if let Some((since, until, cause)) = &heard.left_alone {
                state.breaker.leave_alone(now - since, now + until, cause);
            }
        });
    }

    /// Reduces this host's share, before others are told that they may use the rest.
    pub(crate) fn give_up(&self, part: RateShare, due: RateShare) {
        self.with(|state, now| {
            if part.size() < state.granted().size() {
                state.tell(part, due, now);
            }
        });
    }
}
