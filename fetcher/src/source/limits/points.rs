//! A bucket of points that the source restores all the time: cost-based throttling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hints::PointsHint;
use super::part::Part;

/// How many kinds of questions keep their cost in memory.
const KINDS: usize = 64;
/// Seconds after which a question that never came back holds no points any more.
const FORGOTTEN: f64 = 90.0;

/// What is known of the bucket. Times are seconds of the epoch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Points {
    capacity: f64,
    restore: f64,
    available: f64,
    at: f64,
    costs: BTreeMap<String, f64>,
    /// When questions under way were sent, and what they hold.
    held: Vec<(f64, f64)>,
    /// How much of the bucket is this host's.
    #[serde(default)]
    part: Part,
}

impl Points {
    /// A bucket first heard of, of which so much is this host's.
    pub(super) fn new(part: Part) -> Points {
        Points {
            part,
            ..Points::default()
        }
    }

    /// What a question of this kind asks of the bucket: all of it while nobody knows.
    pub(super) fn cost(&self, kind: &str) -> f64 {
        let known = self.costs.get(kind).copied();
        known.unwrap_or(self.capacity).min(self.depth())
    }

    /// The most points this host's part can hold: enough for its dearest question.
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

    /// Another part of the bucket is this host's from now on.
    pub(super) fn keep_to(&mut self, part: Part, now: f64) {
        self.flow(now);
        // What another host gave up comes by and by; what is given up is gone at once.
        let ratio = (part.fraction() / self.part.fraction()).min(1.0);
        self.available *= if self.available > 0.0 { ratio } else { 1.0 };
        self.part = part;
    }

    /// When so many points will be there.
    pub(super) fn earliest(&self, cost: f64) -> f64 {
        // A hundredth of a second's points more, since the source rounds.
        let missing = (cost + 0.01 * self.gain()).min(self.depth()) - self.available;
        self.at + missing / self.gain()
    }

    /// Takes the points of a question that goes at `go`.
    pub(super) fn take(&mut self, go: f64, cost: f64) {
        self.flow(go);
        self.available -= cost;
        self.held.push((go, cost));
    }

    /// Takes in what an answer says, to a question that held so many points.
    pub(super) fn learn(&mut self, told: &PointsHint, kind: &str, holding: f64, now: f64) {
        self.held.retain(|(at, _)| now - at < FORGOTTEN);
        let held: f64 = self.held.iter().map(|(_, cost)| cost).sum();
        self.flow(now);
        (self.capacity, self.restore) = (told.capacity.max(1.0), told.restore);
        let told_now = told.available - held;
        (self.available, self.at) = match self.part == Part::ALL {
            true => (told_now, now),
            // What the bucket holds is for all hosts: this one counts what it took and what came back of
            // that, up to the time for which it has taken places already.
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

    /// The question that was to be sent then, for so many points, is over.
    pub(super) fn settle(&mut self, go: f64, cost: f64) {
        // Numbers that were in a file may differ in their last digit.
        let same = |held: &(f64, f64)| (held.0 - go).abs() < 1e-5 && (held.1 - cost).abs() < 1e-5;
        if let Some(place) = self.held.iter().position(same) {
            self.held.remove(place);
        }
    }

    /// Points restored per second for this host.
    pub(super) fn rate(&self) -> f64 {
        self.gain()
    }

    /// Moves all times by `seconds`, as when the clock was set.
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
