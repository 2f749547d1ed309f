//! What the hosts that ask one source tell each other of it, by whatever connects them.

use super::gate::Limits;
use super::pace::Pace;
use super::part::Part;

/// Seconds by which two clocks and the way between them may differ before a pause is taken for a longer one.
const NEAR: f64 = 0.5;

/// Seconds a host may ask nothing before it counts as idle: as long as a page may take.
const IDLE: f64 = 5.0;

/// What a host has to say about a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Presence {
    /// Tells the account of this host from those of others: all processes that share it say the same.
    pub id: String,
    /// Whether anybody here asks the source now.
    pub wanted: bool,
    /// What the source asked for.
    pub pauses: Pauses,
}

/// For how long nobody should ask a source. Seconds are counted from now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pauses {
    /// Seconds of the pause the source asked for.
    pub held: f64,
    /// Seconds since it is left alone, seconds until it is asked again, and why.
    pub left_alone: Option<(f64, f64, String)>,
}

impl Pauses {
    /// Whether this is news to somebody who knows of `other`.
    pub fn exceed(&self, other: &Pauses) -> bool {
        let until = |pauses: &Pauses| {
            pauses
                .left_alone
                .as_ref()
                .map_or(0.0, |(_, until, _)| *until)
        };
        self.held > other.held + NEAR || until(self) > until(other) + NEAR
    }

    fn of(pace: &Pace, now: f64) -> Pauses {
        let breaker = &pace.breaker;
        let open = breaker.since.filter(|_| breaker.until > now);
        Pauses {
            held: (pace.held_until - now).max(0.0),
            left_alone: open.map(|since| (now - since, breaker.until - now, breaker.cause.clone())),
        }
    }
}

impl Limits {
    /// What this host has to say to the others.
    pub(crate) fn presence(&self) -> Presence {
        self.with(|pace, now| Presence {
            id: pace.id.clone(),
            wanted: pace.wanted_until + IDLE > now,
            pauses: Pauses::of(pace, now),
        })
    }

    /// Takes in this host's part, the one it would be due, and what the other hosts have heard of the source.
    pub(crate) fn keep_to(&self, part: Part, due: Part, heard: &Pauses) {
        self.with(|pace, now| {
            pace.tell(part, due, now);
            if !heard.exceed(&Pauses::of(pace, now)) {
                return;
            }
            pace.held_until = pace.held_until.max(now + heard.held.min(3600.0));
            if let Some((since, until, cause)) = &heard.left_alone {
                pace.breaker.leave_alone(now - since, now + until, cause);
            }
        });
    }

    /// Keeps to a part that is no more than this host has: what it gives up is not used while that is being
    /// told.
    pub(crate) fn give_up(&self, part: Part, due: Part) {
        self.with(|pace, now| {
            if part.size() < pace.granted().size() {
                pace.tell(part, due, now);
            }
        });
    }
}
