//! Cost-based rate limits: a bucket of points that the source refills continuously.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hints::PointsHint;
use super::rate_share::RateShare;

/// How many kinds of requests keep their cost in memory.
const KINDS: usize = 64;
/// Seconds after which a request without a response releases its points.
const FORGOTTEN: f64 = 90.0;

/// The state of the bucket. Times are Unix seconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Points {
    capacity: f64,
    restore: f64,
    available: f64,
    at: f64,
    costs: BTreeMap<String, f64>,
    /// When requests in flight were sent, and the points they reserve.
    held: Vec<(f64, f64)>,
    /// This host's share of the bucket.
    #[serde(default)]
    part: RateShare,
}

impl Points {
    /// A new bucket, of which this host has a share.
    pub(super) fn new(part: RateShare) -> Points {
        Points {
            part,
            ..Points::default()
        }
    }

    /// The cost of a request of this kind; the whole bucket while it is unknown.
    pub(super) fn cost(&self, kind: &str) -> f64 {
        let known = self.costs.get(kind).copied();
        known.unwrap_or(self.capacity).min(self.depth())
    }

    /// The most points this host's share can hold: enough for its most expensive request.
    fn depth(&self) -> f64 {
        let dearest = self.costs.values().copied().fold(0.0, f64::max);
        (self.capacity * self.part.fraction())
            .max(dearest)
            .min(self.capacity)
    }

    /// Points restored per second for this host.
    fn gain(&self) -> f64 {
        self.restore * self.part.fraction()
    }

    /// Changes this host's share.
    pub(super) fn keep_to(&mut self, part: RateShare, now: f64) {
        self.flow(now);
        // A larger share fills up over time; a smaller one applies at once.
        let ratio = (part.fraction() / self.part.fraction()).min(1.0);
        self.available *= if self.available > 0.0 { ratio } else { 1.0 };
        self.part = part;
    }

    /// When this many points will be available.
    pub(super) fn earliest(&self, cost: f64) -> f64 {
        // Adds the points of a hundredth of a second, since the source rounds.
        let missing = (cost + 0.01 * self.gain()).min(self.depth()) - self.available;
        self.at + missing / self.gain()
    }

    /// Reserves the points of a request at `go`.
    pub(super) fn take(&mut self, go: f64, cost: f64) {
        self.flow(go);
        self.available -= cost;
        self.held.push((go, cost));
    }

    /// Updates the state with a response to a request that reserved this many points.
    pub(super) fn learn(&mut self, told: &PointsHint, kind: &str, holding: f64, now: f64) {
        self.held.retain(|(at, _)| now - at < FORGOTTEN);
        let held: f64 = self.held.iter().map(|(_, cost)| cost).sum();
        self.flow(now);
        (self.capacity, self.restore) = (told.capacity.max(1.0), told.restore);
        let told_now = told.available - held;
        (self.available, self.at) = match self.part == RateShare::ALL {
            true => (told_now, now),
            // The bucket is for all hosts: this one counts what it used and what was refilled, up to the last
            // reserved time.
            false => {
                let back = (holding - told.actual.unwrap_or(told.requested)).max(0.0);
                ((self.available + back).min(told_now), self.at)
            }
        };
        if self.costs.len() >= KINDS && !self.costs.contains_key(kind) {
            self.costs.pop_first();
        }
        self.costs.insert(kind.to_owned(), told.requested);
    }

    /// Releases the reservation of a request that is done.
    pub(super) fn settle(&mut self, go: f64, cost: f64) {
        // Numbers read back from a file may differ in their last digit.
        let same = |held: &(f64, f64)| (held.0 - go).abs() < 1e-5 && (held.1 - cost).abs() < 1e-5;
        if let Some(place) = self.held.iter().position(same) {
            self.held.remove(place);
        }
    }

    /// Points restored per second for this host.
    pub(super) fn rate(&self) -> f64 {
        self.gain()
    }

    /// Shifts all times by `seconds`, after the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        self.at += seconds;
        self.held.clear();
    }

    fn flow(&mut self, now: f64) {
        if now > self.at {
            self.available = (self.available + (now - self.at) * self.gain()).min(self.depth());
            self.at = now;
        }
    }
}
