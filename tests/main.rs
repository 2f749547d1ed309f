//! Whole-system tests, through the programs.

mod folder_sources;
mod module_tools;
