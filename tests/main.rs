//! Whole-system tests, through the programs.

mod world;

mod first_run;
mod module_tools;
