//! A bucket of points that the source restores all the time: cost-based throttling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::hints::PointsHint;

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
}

impl Points {
    /// What a question of this kind asks of the bucket: all of it while nobody knows.
    pub(super) fn cost(&self, kind: &str) -> f64 {
        let known = self.costs.get(kind).copied();
        known.unwrap_or(self.capacity).min(self.capacity)
    }

    /// When so many points will be there.
    pub(super) fn earliest(&self, cost: f64) -> f64 {
        // A hundredth of a second's points more, since the source rounds.
        let missing = (cost + 0.01 * self.restore).min(self.capacity) - self.available;
        self.at + missing / self.restore
    }

    /// Takes the points of a question that goes at `go`.
    pub(super) fn take(&mut self, go: f64, cost: f64) {
        self.flow(go);
        self.available -= cost;
        self.held.push((go, cost));
    }

    /// Takes in what an answer says.
    pub(super) fn learn(&mut self, told: &PointsHint, kind: &str, now: f64) {
        self.held.retain(|(at, _)| now - at < FORGOTTEN);
        let held: f64 = self.held.iter().map(|(_, cost)| cost).sum();
        (self.capacity, self.restore) = (told.capacity.max(1.0), told.restore);
        (self.available, self.at) = (told.available - held, now);
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

    /// Points restored per second.
    pub(super) fn rate(&self) -> f64 {
        self.restore
    }

    /// Moves all times by `seconds`, as when the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        self.at += seconds;
        self.held.clear();
    }

    fn flow(&mut self, now: f64) {
        if now > self.at {
            self.available = (self.available + (now - self.at) * self.restore).min(self.capacity);
            self.at = now;
        }
    }
}
