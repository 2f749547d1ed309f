//! Whole-system tests, through the programs.

mod module_tools;
mod rust_code;
mod tidy;
