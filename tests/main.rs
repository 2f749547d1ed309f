//! Whole-system tests, through the programs.

mod module_tools;
mod tidy;
