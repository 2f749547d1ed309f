//! Whole-system tests, through the programs.

mod world;

mod first_run;
mod ten_runs;

mod absence;
mod accounts;
mod embedded;
mod hand_edits;
mod killed;
mod lossless;
mod module_tools;
mod references;
mod rollback;
mod rust_code;
mod secrets;
mod tidy;
