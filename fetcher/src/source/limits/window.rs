//! One window of a source: so many requests, or points, in so many seconds.

use serde::{Deserialize, Serialize};

use super::hints::WindowHint;
use super::part::Part;

/// A window at least this long may be spent ahead of its even pace: a short job should not crawl because a
/// long one could come.
const LONG: f64 = 300.0;
/// How much of a long window may be spent ahead of its even pace.
const AHEAD: f64 = 0.5;
const SLOTS: usize = 32;
/// Requests of which each departure is known, at most.
const KNOWN: usize = 256;
/// Sources round the seconds until a reset.
const ROUNDED: f64 = 1.5;

/// What is known of a window. Times are seconds of the epoch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Window {
    limit: f64,
    length: f64,
    length_told: bool,
    remaining: f64,
    resets_at: f64,
    /// What others than us took of it, as far as the last answer shows.
    foreign: f64,
    /// Taken by us since the last answer.
    since: f64,
    last: f64,
    next: f64,
    /// What we took, in slots of a thirty-second of the window.
    taken: Vec<(i64, f64)>,
    /// When the last requests left, as many as the window holds. One that left late holds back the one that
    /// takes its place in the next window, and not all behind it.
    #[serde(default)]
    left: Vec<f64>,
    /// Grows with every refusal: this source counts less exactly than it says.
    caution: f64,
    cost: f64,
    /// Seconds between the last two resets.
    step: f64,
    /// Whether the length was told, or seen.
    sure: bool,
    /// How much of it is this host's.
    #[serde(default)]
    part: Part,
}

impl Window {
    /// A window first heard of at `now`, by the answer to a request sent just before.
    pub(super) fn new(told: &WindowHint, part: Part, now: f64) -> Window {
        let mut window = Window {
            limit: told.limit.unwrap_or(told.remaining + 1.0).max(1.0),
            length: told.length.or(told.resets_in.map(usual)).unwrap_or(60.0),
            length_told: told.length.is_some(),
            remaining: told.remaining,
            resets_at: now,
            foreign: 0.0,
            since: 0.0,
            last: now,
            next: now,
            taken: Vec::new(),
            left: Vec::new(),
            caution: 0.0,
            cost: 1.0,
            step: 0.0,
            sure: told.length.is_some(),
            part,
        };
        window.count(now, told.cost.unwrap_or(1.0));
        window.learn(told, now);
        window.next = now + window.spacing(0.0);
        window
    }

    /// Takes in what an answer says.
    pub(super) fn learn(&mut self, told: &WindowHint, now: f64) {
        self.limit = told
            .limit
            .unwrap_or(self.limit.max(told.remaining))
            .max(1.0);
        let resets_at = told.resets_in.map(|seconds| now + seconds);
        let before = self.length;
        match (told.length, told.resets_in) {
            (Some(length), _) if length > 0.0 => {
                (self.length, self.length_told, self.sure) = (length, true, true);
            }
            (None, Some(seconds)) if !self.length_told => {
                self.guess(seconds, now + seconds - self.resets_at, told.remaining);
            }
            _ => {}
        }
        if self.length != before {
            // Slots of another width say nothing.
            self.taken.clear();
        }
        self.resets_at = resets_at.unwrap_or(now + self.length);
        self.remaining = told.remaining;
        self.cost = told.cost.unwrap_or(1.0);
        self.since = 0.0;
        let ours = self.ours(now);
        // What is in flight is counted by us and not yet by the source: that can only hide others, not invent
        // them. Other hosts may have taken their parts.
        self.foreign = (self.part.of(self.limit) - told.remaining - ours).max(0.0);
    }

    /// Another part of the window is this host's from now on.
    pub(super) fn keep_to(&mut self, part: Part, now: f64, jitter: f64) {
        let ratio = self.part.fraction() / part.fraction();
        self.part = part;
        // What left before was another part's.
        self.left.clear();
        // A long window may be spent ahead of its pace; how much of it is left every answer tells.
        if self.length < LONG {
            // What was taken in advance weighs as much as before. One place is left out: two hosts whose
            // paces change within one window could each have one too many in it.
            self.next = now + (self.next - now).max(0.0) * ratio + self.spacing(jitter);
        }
    }

    /// The length of a window whose source does not tell it: at least as long as it takes until the reset,
    /// and as long as lies between resets, once such a step is a usual length or two of them agree.
    fn guess(&mut self, resets_in: f64, step: f64, remaining: f64) {
        if resets_in > self.length + ROUNDED {
            (self.length, self.sure) = (usual(resets_in), false);
        }
        // A window that slides is never whole again while it is used.
        let renewed = remaining > self.remaining && remaining >= 0.9 * self.limit - 1.0;
        if step < 0.5 || !renewed {
            return;
        }
        let common = usual(step);
        let same = if step > 5.0 { ROUNDED } else { 0.3 };
        if step > 5.0 && (step - common).abs() < ROUNDED {
            (self.length, self.sure) = (common, true);
        } else if (step - self.step).abs() < same {
            (self.length, self.sure) = (step.max(self.step), true);
        }
        self.step = step;
    }

    /// The share by which the pace stays below what is permitted: requests jitter on their way.
    fn margin(&self, jitter: f64) -> f64 {
        ((0.003 + 2.0 * jitter) / self.length).clamp(0.002, 0.008) + self.caution
    }

    /// The even pace: slightly slower than permitted.
    fn spacing(&self, jitter: f64) -> f64 {
        let limit = self.part.of(self.limit);
        self.length / limit * (1.0 + self.margin(jitter)) * self.cost.max(1.0)
    }

    /// How many requests it holds, where each departure is known.
    fn places(&self) -> Option<usize> {
        let places = self.part.of(self.limit);
        let known =
            self.length < LONG && self.cost <= 1.0 && places >= 1.0 && places <= KNOWN as f64;
        known.then_some(places as usize)
    }

    /// The request that was planned for `go` left so much later, as on a busy machine.
    pub(super) fn late(&mut self, go: f64, by: f64, jitter: f64) {
        let planned = self.left.iter().rposition(|at| (at - go).abs() < 1e-6);
        match planned.filter(|_| self.places().is_some()) {
            Some(place) => {
                self.left[place] += by.max(0.0);
                self.left.sort_by(f64::total_cmp);
            }
            None => {
                // Those behind it must not close up to it.
                let bearable = 0.5 * self.margin(jitter) * self.length;
                self.next += (by - bearable).max(0.0);
            }
        }
    }

    /// When a place is free again that another request took a window before.
    fn freed(&self, jitter: f64) -> f64 {
        let before = |places: usize| self.left.len().checked_sub(places);
        let taken = self.places().and_then(before).map(|at| self.left[at]);
        taken.map_or(0.0, |at| at + self.length * (1.0 + self.margin(jitter)))
    }

    /// When the next request may go.
    pub(super) fn earliest(&self, now: f64, jitter: f64) -> f64 {
        let spacing = self.spacing(jitter);
        let long = self.length >= LONG;
        let slack = if long { AHEAD * self.length } else { 0.0 };
        let even = (self.next - slack).max(self.freed(jitter));
        let told = now < self.resets_at;
        let doubtful = self.foreign >= 1.0 || !self.sure;
        if !(told && (long || doubtful)) {
            // Evenly spaced, no window of this length can hold more than the limit, wherever it begins.
            return even;
        }
        // What is left is for all hosts.
        let left = (self.remaining - self.since) * self.part.fraction();
        if left < self.cost {
            return even.max(self.resets_at);
        }
        if doubtful && !long {
            let shared = (self.resets_at - self.last).max(0.0) / left * self.cost;
            return even.max(self.last + shared.max(spacing));
        }
        even
    }

    /// Counts a request that goes at `go`.
    pub(super) fn take(&mut self, go: f64, jitter: f64) {
        self.next = self.next.max(go) + self.spacing(jitter);
        self.last = go;
        if let Some(places) = self.places() {
            self.left.push(go);
            self.left.drain(..self.left.len().saturating_sub(places));
        }
        self.since += self.cost;
        let cost = self.cost;
        self.count(go, cost);
    }

    /// The source refused although we kept to what it told: others ask too, or it counts otherwise.
    pub(super) fn refused(&mut self) {
        self.caution = (self.caution + 0.002).min(0.02);
        self.remaining = 0.0;
    }

    /// Requests or points per second this window permits.
    pub(super) fn rate(&self) -> f64 {
        self.part.of(self.limit) / self.length
    }

    /// Moves all times by `seconds`, as when the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        for time in [&mut self.resets_at, &mut self.last, &mut self.next] {
            *time += seconds;
        }
        self.left.iter_mut().for_each(|at| *at += seconds);
        self.taken.clear();
    }

    fn count(&mut self, at: f64, cost: f64) {
        let slot = (at / self.length * SLOTS as f64).floor() as i64;
        match self.taken.last_mut() {
            Some((last, sum)) if *last == slot => *sum += cost,
            _ => self.taken.push((slot, cost)),
        }
        self.taken.retain(|(held, _)| slot - held <= SLOTS as i64);
    }

    fn ours(&self, now: f64) -> f64 {
        let slot = (now / self.length * SLOTS as f64).floor() as i64;
        let recent = self
            .taken
            .iter()
            .filter(|(held, _)| slot - held <= SLOTS as i64);
        recent.map(|(_, sum)| sum).sum()
    }
}

/// The usual window that a reset so far away belongs to.
fn usual(seconds: f64) -> f64 {
    let lengths = [1.0, 10.0, 60.0, 900.0, 3600.0, 86_400.0];
    let found = lengths
        .into_iter()
        .find(|length| seconds <= *length + ROUNDED.min(*length / 2.0));
    found.unwrap_or(seconds)
}
