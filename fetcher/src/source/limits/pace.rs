//! When the next request may go: one account of a source's limits for everything that asks it.
//!
//! No clock and no waiting here; times are seconds of the epoch and come from outside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, Entry};
use super::hints::Hints;
use super::own::OwnRate;
use super::part::Part;
use super::points::Points;
use super::window::Window;
use crate::source::rules::{Rate, SourceRules};

/// Requests per second where neither the configuration nor the source says a rate.
const UNTOLD: f64 = 5.0;
/// Seconds after which what a source said about its limits is asked for anew, one request first.
const STALE: f64 = 3600.0;
/// Seconds the first request may keep the others waiting.
const FIRST: f64 = 5.0;
/// Seconds after which a host that was given nothing, and hears nothing any more, takes what it would be due.
const SILENCE: f64 = 15.0;

/// Whose request it is. Scheduled work goes before backfills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Priority {
    /// The regular run.
    #[default]
    Scheduled,
    /// A long read that may take its time.
    Backfill,
}

/// Leave to send one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Permit {
    /// What kind of question it is for.
    pub kind: String,
    /// When it may go.
    pub(super) go: f64,
    /// The points it holds.
    cost: f64,
}

/// What a source said and did, and when the next request may go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pace {
    /// When this was last written: a time in the future shows a clock that was set back.
    at: f64,
    next: f64,
    pub(super) held_until: f64,
    /// Share of the configured rate that a source without hints bears.
    pub(super) share: f64,
    refused_at: f64,
    answered_at: f64,
    first_until: f64,
    jitter: f64,
    trip: f64,
    windows: BTreeMap<String, Window>,
    points: Option<Points>,
    pub(super) ahead: f64,
    pub(super) breaker: Breaker,
    /// Page sizes that a source insisted on: size, and until when it is remembered.
    sizes: BTreeMap<String, (u32, f64)>,
    /// Which account this is among those of other hosts.
    pub(super) id: String,
    /// The part this host was given last, the one it would be due, and when it was told.
    told: (Part, Part, f64),
    /// The part its pace is made for; never nothing.
    part: Part,
    /// Until when somebody here asks, as far as known.
    pub(super) wanted_until: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            at: 0.0,
            next: 0.0,
            held_until: 0.0,
            share: 1.0,
            refused_at: 1.0,
            answered_at: 0.0,
            first_until: 0.0,
            jitter: 0.0,
            trip: 0.0,
            windows: BTreeMap::new(),
            points: None,
            ahead: 0.0,
            breaker: Breaker::default(),
            sizes: BTreeMap::new(),
            id: String::new(),
            told: (Part::ALL, Part::ALL, 0.0),
            part: Part::ALL,
            wanted_until: 0.0,
        }
    }
}

/// What a request that wants to go is told.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Go then; the place is taken.
    Go(Permit),
    /// Ask again then.
    Later(f64),
    /// The source is left alone until then.
    LeftAlone { since: f64, until: f64 },
    /// The source permits no more until then, which is longer than anybody waits.
    Exhausted { until: f64 },
}

impl Pace {
    /// Brings the account to a clock that was set back: nobody waits for an hour that comes twice.
    pub(super) fn look(&mut self, now: f64) {
        let back = self.at - now;
        if back > 2.0 {
            for time in [
                &mut self.next,
                &mut self.held_until,
                &mut self.answered_at,
                &mut self.first_until,
                &mut self.told.2,
                &mut self.wanted_until,
            ] {
                *time -= back;
            }
            self.windows
                .values_mut()
                .for_each(|window| window.shift(-back));
            self.points
                .iter_mut()
                .for_each(|points| points.shift(-back));
            self.breaker.shift(-back);
        }
        self.at = now;
        self.keep_to_part(now);
    }

    /// Takes in which part of the limits is this host's, and which one it would be due if it has none yet.
    pub(super) fn tell(&mut self, part: Part, due: Part, now: f64) {
        self.told = (part, due, now);
        self.keep_to_part(now);
    }

    /// The part this host may use now. With nobody to ask it keeps to its last one, for as long as that can
    /// matter.
    fn present_part(&self, now: f64) -> Part {
        let (part, due, at) = self.told;
        match now - at {
            silence if silence > STALE => Part::ALL,
            silence if part.size() == 0 && silence > SILENCE => due,
            _ => part,
        }
    }

    /// The part this host was given last.
    pub(super) fn granted(&self) -> Part {
        self.told.0
    }

    fn keep_to_part(&mut self, now: f64) {
        let part = self.present_part(now);
        if part.size() == 0 || part == self.part {
            return;
        }
        // As in `Window::keep_to`; the configured rate is divided as it is.
        let ratio = self.part.fraction() / part.fraction();
        self.next = now + (self.next - now).max(0.0) * ratio;
        self.part = part;
        for window in self.windows.values_mut() {
            window.keep_to(part, now, self.jitter);
        }
        if let Some(points) = &mut self.points {
            points.keep_to(part, now);
        }
    }

    /// Takes the next place for a request that has waited since `came`.
    pub(super) fn step(
        &mut self,
        now: f64,
        rules: &SourceRules,
        kind: &str,
        priority: Priority,
        came: f64,
    ) -> Step {
        let step = self.next_step(now, rules, kind, priority, came);
        let until = match &step {
            Step::Go(permit) => permit.go,
            Step::Later(at) => *at,
            Step::LeftAlone { .. } | Step::Exhausted { .. } => now,
        };
        self.wanted_until = self.wanted_until.max(until);
        step
    }

    fn next_step(
        &mut self,
        now: f64,
        rules: &SourceRules,
        kind: &str,
        priority: Priority,
        came: f64,
    ) -> Step {
        if self.held_until > now {
            return self.hold(self.held_until, now, rules);
        }
        if self.present_part(now).size() == 0 {
            // Other hosts make room within a second or two.
            return match now - came > rules.retry.longest_wait_seconds as f64 {
                true => Step::Exhausted { until: now + 60.0 },
                false => Step::Later(now + 0.1),
            };
        }
        let known = now - self.answered_at < STALE;
        if !known && now < self.first_until {
            return Step::Later(self.first_until.min(now + 0.02));
        }
        let earliest = self.earliest(&rules.rate, kind, now).max(now);
        if earliest - now > rules.retry.longest_wait_seconds as f64 {
            return Step::Exhausted { until: earliest };
        }
        // A backfill takes no place in advance, so whoever is scheduled goes first; but one turn in ten is
        // its own.
        let spacing = 1.0 / self.rate(&rules.rate);
        if priority == Priority::Backfill && earliest > now && now - came < 10.0 * spacing {
            return Step::Later(earliest);
        }
        if let Entry::Closed { until } = self.breaker.enter(now) {
            let since = self.breaker.since.unwrap_or(now);
            return Step::LeftAlone { since, until };
        }
        if !known {
            self.first_until = now + FIRST;
        }
        let cost = self.take(earliest, &rules.rate, kind);
        Step::Go(Permit {
            kind: kind.to_owned(),
            go: earliest,
            cost,
        })
    }

    fn hold(&self, until: f64, now: f64, rules: &SourceRules) -> Step {
        match until - now > rules.retry.longest_wait_seconds as f64 {
            true => Step::Exhausted { until },
            false => Step::Later(until),
        }
    }

    fn earliest(&self, rate: &Rate, kind: &str, now: f64) -> f64 {
        let own = self.own_rate(rate).map(|own| own.earliest(self.next, now));
        let windows = self
            .windows
            .values()
            .map(|window| window.earliest(now, self.jitter));
        let points = self
            .points
            .iter()
            .map(|points| points.earliest(points.cost(kind)));
        windows.chain(points).chain(own).fold(now, f64::max)
    }

    /// Takes the place; answers with the points it costs.
    fn take(&mut self, go: f64, rate: &Rate, kind: &str) -> f64 {
        if let Some(own) = self.own_rate(rate) {
            self.next = own.take(self.next, go);
        }
        for window in self.windows.values_mut() {
            window.take(go, self.jitter);
        }
        let Some(points) = &mut self.points else {
            return 0.0;
        };
        let cost = points.cost(kind);
        points.take(go, cost);
        cost
    }

    /// The configured rate, as far as the source bears it; none where only the source's own limits count.
    fn own_rate(&self, rate: &Rate) -> Option<OwnRate> {
        let told = !self.windows.is_empty() || self.points.is_some();
        if rate.per_second.is_none() && told {
            return None;
        }
        let all = rate.per_second.unwrap_or(UNTOLD).clamp(0.001, 1e6);
        let whole = self.share == 1.0 && self.part == Part::ALL;
        Some(OwnRate {
            per_second: all * self.share * self.part.fraction(),
            burst: if whole { rate.burst } else { 1 },
        })
    }

    /// Requests per second at present, as far as known.
    pub(super) fn rate(&self, rate: &Rate) -> f64 {
        let windows = self.windows.values().map(Window::rate);
        let own = self.own_rate(rate);
        let own = own.map_or(f64::INFINITY, |own| own.per_second);
        let least = windows.fold(own, f64::min);
        match &self.points {
            Some(points) if least.is_infinite() => points.rate() / points.cost("").max(1.0),
            _ if least.is_infinite() => UNTOLD,
            _ => least,
        }
    }

    /// An answer came to a permitted request.
    pub(super) fn answered(&mut self, permit: &Permit, hints: &Hints, now: f64) {
        self.answered_at = now;
        self.first_until = 0.0;
        let trip = (now - permit.go).max(0.0);
        self.jitter += 0.1 * ((trip - self.trip).abs().min(0.2) - self.jitter);
        self.trip += 0.1 * (trip - self.trip);
        if let Some(ahead) = hints.ahead {
            self.ahead = ahead;
        }
        for told in hints.windows.iter().take(4) {
            self.windows
                .entry(told.name.clone())
                .and_modify(|window| window.learn(told, now))
                .or_insert_with(|| Window::new(told, self.part, now));
        }
        match &hints.points {
            Some(told) => {
                let points = self.points.get_or_insert_with(|| Points::new(self.part));
                points.settle(permit.go, permit.cost);
                points.learn(told, &permit.kind, permit.cost, now);
            }
            None => self.settle(permit),
        }
    }

    /// The request was served: a source without hints may bear a little more.
    pub(super) fn served(&mut self) {
        let gain = match self.share < 0.95 * self.refused_at {
            true => 0.01,
            // Where it was refused before, it is tried again slowly.
            false => 0.0005,
        };
        self.share = (self.share + gain).min(1.0);
    }

    /// The source asked to slow down, and perhaps for how long.
    pub(super) fn refused(&mut self, wait: Option<f64>, now: f64) {
        if self.windows.is_empty() && self.points.is_none() {
            self.refused_at = self.share;
            self.share = (self.share * 0.7).max(0.01);
        }
        self.windows.values_mut().for_each(Window::refused);
        // More than an hour is asked again after one: nobody means a year.
        let wait = wait.unwrap_or(0.0).min(3600.0);
        self.held_until = self.held_until.max(now + wait);
    }

    /// Whether a request whose turn came must wait on, because the source has asked for a pause meanwhile.
    /// Its place is given back then.
    pub(super) fn is_held(&mut self, permit: &Permit, now: f64) -> bool {
        let held = self.held_until > now;
        if held {
            self.settle(permit);
        }
        let by = now - permit.go;
        for window in self.windows.values_mut() {
            window.late(permit.go, by, self.jitter);
        }
        held
    }

    fn settle(&mut self, permit: &Permit) {
        if let Some(points) = &mut self.points {
            points.settle(permit.go, permit.cost);
        }
    }

    /// The page size a source insisted on for this kind of question.
    pub(super) fn size(&self, kind: &str, now: f64) -> Option<u32> {
        let (size, until) = self.sizes.get(kind)?;
        (*until > now).then_some(*size)
    }

    /// Remembers a page size for a day.
    pub(super) fn remember_size(&mut self, kind: &str, size: u32, now: f64) {
        self.sizes.retain(|_, (_, until)| *until > now);
        self.sizes.insert(kind.to_owned(), (size, now + 86_400.0));
    }
}
