//! The fault matrix as data: every fault of the network, of HTTP, of GraphQL and of limits in turn, injected
//! into whole runs, each with the state it promises; then a clean run, and production must be what the source
//! says.

mod changed;
mod clocks;
mod crowd;
mod database;
mod dying;
mod host;
mod line;
mod meeting;
mod noticed;
mod nth;
mod oracle;
mod refusals;
mod restored;
mod rows;
mod swarm;
mod table;
mod tls;
mod tokens;
mod wire;
