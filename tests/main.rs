//! Whole-system tests, through the programs.

mod world;

mod folder_sources;
mod module_tools;
