//! The fetcher against small sources in this process: every style of paging, every class of failure.

mod failures;
mod folders;
mod limits;
mod logins;
mod nested;
mod network;
mod paging;
mod partitions;
mod repeated;
mod schemas;
mod secrets;
mod sizes;
mod source;
