//! What may never be lost, doubled or changed unseen, one file per subject. The source is the tiny one of
//! `ListWorld` wherever no typed transform is needed.

mod authors;
mod claims;
mod columns;
mod counting;
mod derived_rows;
mod guard;
mod identities;
mod large_first_load;
mod overrides;
mod self_references;
mod simultaneous;
mod tables;
