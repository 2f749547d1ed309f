//! Whole-system tests: the real programs against a real source and a real PostgreSQL.

mod absence;
mod first_run;
mod folder_sources;
mod hand_edits;
mod killed;
mod module_tools;
mod rollback;
mod rust_code;
mod ten_runs;
mod tidy;
mod world;
