//! When the next request may be sent: one limiter state per source, for all its modules.
//!
//! No clock and no waiting here; times are Unix seconds and arguments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, Entry};
use super::configured_rate::ConfiguredRate;
use super::hints::Hints;
use super::points::Points;
use super::rate_share::RateShare;
use super::window::Window;
use crate::source::request_policy::{Rate, RequestPolicy};

/// Requests per second if neither the configuration nor the source gives a rate.
const UNTOLD: f64 = 5.0;
/// Seconds after which the limits a source reported are stale: one request is sent first.
const STALE: f64 = 3600.0;
/// Seconds for which other requests wait for the first one.
const FIRST: f64 = 5.0;
/// Seconds without news after which a host without a share uses its fair share.
const SILENCE: f64 = 15.0;

/// The priority of a request. Scheduled work goes before backfills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Priority {
    /// The regular run.
    #[default]
    Scheduled,
    /// A long read that may take its time.
    Backfill,
}

/// Permission to send one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Permit {
    /// The kind of request it is for.
    pub kind: String,
    /// When the request may be sent.
    pub(super) go: f64,
    /// The points it reserves.
    cost: f64,
}

/// The limiter's state: what a source reported, and when the next request may be sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LimiterState {
    /// When this was last written; a time in the future means that the clock was set back.
    at: f64,
    next: f64,
    pub(super) held_until: f64,
    /// Fraction of the configured rate that a source without hints accepts.
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
    /// Page sizes that a source accepted: the size, and until when it is remembered.
    sizes: BTreeMap<String, (u32, f64)>,
    /// Identifies this state among those of other hosts.
    pub(super) id: String,
    /// This host's last share, its fair share, and when both were set.
    told: (RateShare, RateShare, f64),
    /// The share that windows and points are computed for; never empty.
    part: RateShare,
    /// Until when a process of this host needs the source.
    pub(super) wanted_until: f64,
}

impl Default for LimiterState {
    fn default() -> Self {
        LimiterState {
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
            told: (RateShare::ALL, RateShare::ALL, 0.0),
            part: RateShare::ALL,
            wanted_until: 0.0,
        }
    }
}

/// The decision about a request.
#[derive(Debug, PartialEq)]
pub(super) enum Admission {
    /// It may be sent at the permit's time, which is reserved.
    Granted(Permit),
    /// Ask again at this time.
    WaitUntil(f64),
    /// The circuit breaker is open.
    BreakerOpen { since: f64, until: f64 },
    /// The limits permit nothing until then, which is beyond the longest wait.
    Exhausted { until: f64 },
}

impl LimiterState {
    /// Shifts all times if the clock was set back, so that no request waits for the same hour twice.
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

    /// Sets this host's share of the limits, and its fair share.
    pub(super) fn tell(&mut self, part: RateShare, due: RateShare, now: f64) {
        self.told = (part, due, now);
        self.keep_to_part(now);
    }

    /// The share this host may use now. Without news it keeps its last one, for as long as that can matter.
    fn present_part(&self, now: f64) -> RateShare {
        let (part, due, at) = self.told;
        match now - at {
            silence if silence > STALE => RateShare::ALL,
            silence if part.size() == 0 && silence > SILENCE => due,
            _ => part,
        }
    }

    /// The share this host was given last.
    pub(super) fn granted(&self) -> RateShare {
        self.told.0
    }

    fn keep_to_part(&mut self, now: f64) {
        let part = self.present_part(now);
        if part.size() == 0 || part == self.part {
            return;
        }
        // As in `Window::keep_to`; the configured rate is simply multiplied.
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

    /// Reserves the next time for a request that has waited since `came`.
    pub(super) fn step(
        &mut self,
        now: f64,
        rules: &RequestPolicy,
        kind: &str,
        priority: Priority,
        came: f64,
    ) -> Admission {
        let step = self.next_step(now, rules, kind, priority, came);
        let until = match &step {
            Admission::Granted(permit) => permit.go,
            Admission::WaitUntil(at) => *at,
            Admission::BreakerOpen { .. } | Admission::Exhausted { .. } => now,
        };
        self.wanted_until = self.wanted_until.max(until);
        step
    }

    fn next_step(
        &mut self,
        now: f64,
        rules: &RequestPolicy,
        kind: &str,
        priority: Priority,
        came: f64,
    ) -> Admission {
        if self.held_until > now {
            return self.hold(self.held_until, now, rules);
        }
        if self.present_part(now).size() == 0 {
            // Other hosts make room within a second or two.
            return match now - came > rules.retry.longest_wait_seconds as f64 {
                true => Admission::Exhausted { until: now + 60.0 },
                false => Admission::WaitUntil(now + 0.1),
            };
        }
        let known = now - self.answered_at < STALE;
        if !known && now < self.first_until {
            return Admission::WaitUntil(self.first_until.min(now + 0.02));
        }
        let earliest = self.earliest(&rules.rate, kind, now).max(now);
        if earliest - now > rules.retry.longest_wait_seconds as f64 {
            return Admission::Exhausted { until: earliest };
        }
        // A backfill reserves nothing in advance, so scheduled requests go first; but it gets one turn in
        // ten.
        let spacing = 1.0 / self.rate(&rules.rate);
        if priority == Priority::Backfill && earliest > now && now - came < 10.0 * spacing {
            return Admission::WaitUntil(earliest);
        }
        if let Entry::Closed { until } = self.breaker.enter(now) {
            let since = self.breaker.since.unwrap_or(now);
            return Admission::BreakerOpen { since, until };
        }
        if !known {
            self.first_until = now + FIRST;
        }
        let cost = self.take(earliest, &rules.rate, kind);
        Admission::Granted(Permit {
            kind: kind.to_owned(),
            go: earliest,
            cost,
        })
    }

    fn hold(&self, until: f64, now: f64, rules: &RequestPolicy) -> Admission {
        match until - now > rules.retry.longest_wait_seconds as f64 {
            true => Admission::Exhausted { until },
            false => Admission::WaitUntil(until),
        }
    }

    fn earliest(&self, rate: &Rate, kind: &str, now: f64) -> f64 {
        let own = self
            .configured_rate(rate)
            .map(|own| own.earliest(self.next, now));
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

    /// Reserves the time; returns the points it costs.
    fn take(&mut self, go: f64, rate: &Rate, kind: &str) -> f64 {
        if let Some(own) = self.configured_rate(rate) {
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

    /// The configured rate, reduced to what the source accepts; `None` if only the source's own limits count.
    fn configured_rate(&self, rate: &Rate) -> Option<ConfiguredRate> {
        let told = !self.windows.is_empty() || self.points.is_some();
        if rate.per_second.is_none() && told {
            return None;
        }
        let all = rate.per_second.unwrap_or(UNTOLD).clamp(0.001, 1e6);
        let whole = self.share == 1.0 && self.part == RateShare::ALL;
        Some(ConfiguredRate {
            per_second: all * self.share * self.part.fraction(),
            burst: if whole { rate.burst } else { 1 },
        })
    }

    /// Requests per second at present, as far as known.
    pub(super) fn rate(&self, rate: &Rate) -> f64 {
        let windows = self.windows.values().map(Window::rate);
        let own = self.configured_rate(rate);
        let own = own.map_or(f64::INFINITY, |own| own.per_second);
        let least = windows.fold(own, f64::min);
        match &self.points {
            Some(points) if least.is_infinite() => points.rate() / points.cost("").max(1.0),
            _ if least.is_infinite() => UNTOLD,
            _ => least,
        }
    }

    /// Updates the state with the response to a permitted request.
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

    /// After a success: raises the rate a little for a source without hints.
    pub(super) fn served(&mut self) {
        let gain = match self.share < 0.95 * self.refused_at {
            true => 0.01,
            // Rises more slowly near the rate that was refused before.
            false => 0.0005,
        };
        self.share = (self.share + gain).min(1.0);
    }

    /// After a refusal: slows down, and pauses for as long as the source asked.
    pub(super) fn refused(&mut self, wait: Option<f64>, now: f64) {
        if self.windows.is_empty() && self.points.is_none() {
            self.refused_at = self.share;
            self.share = (self.share * 0.7).max(0.01);
        }
        self.windows.values_mut().for_each(Window::refused);
        // A pause is at most an hour; the source is then asked again.
        let wait = wait.unwrap_or(0.0).min(3600.0);
        self.held_until = self.held_until.max(now + wait);
    }

    /// Whether a permitted request must wait after all, because the source asked for a pause meanwhile. Its
    /// reservation is released then.
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

    /// The page size that a source accepted for this kind of request.
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
