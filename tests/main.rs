//! Whole-system tests: the real programs against a real source and a real PostgreSQL.

mod absence;
mod accounts;
mod embedded;
mod first_run;
mod folder_sources;
mod hand_edits;
mod killed;
mod lossless;
mod matrix;
mod module_tools;
mod references;
mod rollback;
mod rust_code;
mod secrets;
mod ten_runs;
mod tidy;
mod world;
