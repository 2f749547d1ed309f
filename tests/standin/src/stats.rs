//! Counts of what was asked and answered.

use std::collections::BTreeMap;

use serde::Serialize;

/// What `GET /admin/stats` shows.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Stats {
    /// GraphQL requests, answered or refused.
    requests: u64,
    /// GraphQL requests by root field.
    operations: BTreeMap<String, u64>,
    /// GraphQL answers by HTTP status.
    statuses: BTreeMap<u16, u64>,
    /// Token requests by grant type.
    grants: BTreeMap<String, u64>,
    /// Refreshes that were granted.
    auth_refreshes: u64,
    /// Token requests that were refused.
    token_refusals: u64,
    /// Answers with 429.
    rate_limited: u64,
    /// Requests beyond the rate limit, whatever the status of their refusal.
    throttled: u64,
    /// Answers that are being sent slowly.
    #[serde(skip)]
    slow: u64,
    /// The most of them at the same time.
    most_slow_at_once: u64,
}

impl Stats {
    pub(crate) fn graphql(&mut self, operations: &[String], status: u16) {
        self.requests += 1;
        for operation in operations {
            *self.operations.entry(operation.clone()).or_default() += 1;
        }
        *self.statuses.entry(status).or_default() += 1;
        self.rate_limited += u64::from(status == 429);
    }

    /// An answer begins to be sent slowly.
    pub(crate) fn begin_slow(&mut self) {
        self.slow += 1;
        self.most_slow_at_once = self.most_slow_at_once.max(self.slow);
    }

    /// One was sent, or nobody waits for it any more.
    pub(crate) fn end_slow(&mut self) {
        self.slow = self.slow.saturating_sub(1);
    }

    pub(crate) fn throttle(&mut self) {
        self.throttled += 1;
    }

    pub(crate) fn token(&mut self, grant: &str, status: u16) {
        *self.grants.entry(grant.to_owned()).or_default() += 1;
        self.auth_refreshes += u64::from(grant == "refresh_token" && status == 200);
        self.token_refusals += u64::from(status != 200);
    }
}
