//! The fetcher against small sources in this process: every style of paging, every class of failure.

mod failures;
mod folders;
mod logins;
mod nested;
mod paging;
mod schemas;
mod source;
