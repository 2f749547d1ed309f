//! One run of one module: lease, fetch, stage, reconcile, promote, account.

mod account;
mod approval;
mod drift;
mod dry;
mod halt;
mod promote;
mod run;
mod stage;

use run::{ReadEnd, since, stopped};

pub use dry::{DryRun, dry_run};
pub(crate) use halt::halt_at;
pub use run::{Ended, Job, sync_module, woken};
