//! Whole-system tests, through the programs.

mod world;

mod first_run;
mod ten_runs;

mod absence;
mod folder_sources;
mod hand_edits;
mod killed;
mod module_tools;
mod rollback;
