//! PostgreSQL as Concord uses it: the embedded server, migrations, staged records, passes and their
//! checkpoints, runs, leases, and the problems that wait.
//!
//! Every statement runs inside a transaction and leaves no session state behind, so that poolers in
//! transaction mode serve as well as a direct connection.

pub mod database;
pub mod embedded;

mod absences;
mod canonical;
mod copy;
mod leases;
mod page_tally;
mod passes;
mod pending;
mod planner_hints;
mod problems;
mod records;
mod runs;
mod shares;
mod sources;
mod spool;
mod versions;

pub use absences::{count_absences, mark_gone};
pub use canonical::{Examined, examine};
pub use copy::CopyRows;
pub use database::MIGRATOR;
pub use leases::{
    Holder, LEASE_SECONDS, Lease, check_lease, lone_lease, release_lease, renew_lease, take_lease,
    this_holder,
};
pub use page_tally::{PagePlace, PageTally};
pub use passes::{
    LastComplete, Pass, PassEnd, abandon_pass, close_pass, doubt_pass, forget_old_sightings,
    last_complete, note_total, open_pass, open_repair, resumable, settle_passes, staged_by,
    staged_to,
};
pub use pending::{Derivation, enqueue};
pub use problems::{
    Problem, ProblemKind, Report, SetAside, open_problems, report_problems, resolve_problems,
    set_aside,
};
pub use records::{copy_pages, ensure_partition, stage_copied, stage_pages};
pub use runs::{
    ClaimTally, Outcome, RunState, came_twice, finish_run, mark_step, open_run, run_state,
};
pub use shares::{Share, leave_share, take_share};
pub use sources::{
    keep_account, keep_schema, keep_shape, keep_standing, known_account, known_shape, schema_seen,
    standings,
};
pub use spool::{Spool, SpoolOf, SpooledPage};
pub use versions::{ExaminedPage, share_ids};
