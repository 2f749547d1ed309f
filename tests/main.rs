//! Whole-system tests, through the binaries.

mod folder_sources;
