//! One run of one module: lease, fetch, stage, reconcile, promote, account.

mod abreast;
mod absent;
mod account;
mod again;
mod approval;
mod drift;
mod dry;
mod group;
mod halt;
mod hosts;
mod older;
mod outages;
mod poison;
mod promote;
mod round;
mod run;
mod selection;
mod stage;
mod steps;
mod stop;
mod verdict;
mod waiting;

use run::{ReadEnd, stopped};

pub use abreast::{Places, abreast};
pub use again::again;
pub use dry::{DryRun, dry_run};
pub(crate) use halt::halt_at;
pub use hosts::Hosts;
pub use outages::{Away, Outages};
pub use round::{bring_tables, woken};
pub use run::{Ended, Job, Progressed, Range, sync_module};
pub use stop::Stop;
