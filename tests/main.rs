//! Whole-system tests: the real programs against a real source and a real PostgreSQL.

mod absence;
mod accounts;
mod contradictions;
mod embedded;
mod first_run;
mod folder_sources;
mod hand_edits;
mod hosts;
mod killed;
mod late;
mod lossless;
mod matrix;
mod merged_at_source;
mod module_tools;
mod placeholders;
mod references;
mod rekeying;
mod rollback;
mod rust_code;
mod scored_matching;
mod secrets;
mod stopping;
mod strategies;
mod ten_runs;
mod tidy;
mod world;
