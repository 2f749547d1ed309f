//! Where a run stages pages.

use staging::{Lease, PagePlace};

use crate::job::Job;

/// The run and the pass for which pages are staged.
pub(crate) struct StagingTarget<'a> {
    pub(crate) job: &'a Job<'a>,
    pub(crate) lease: &'a Lease,
    pub(crate) run_id: i64,
    pub(crate) pass_id: i64,
}

impl StagingTarget<'_> {
    /// The place of pages of which the first was asked with `cursor`.
    pub(crate) fn at<'a>(&'a self, cursor: Option<&'a str>) -> PagePlace<'a> {
        PagePlace {
            module: &self.lease.module,
            pass_id: self.pass_id,
            run_id: Some(self.run_id),
            cursor,
        }
    }
}
