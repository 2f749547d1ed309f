//! A world of its own for each test: a fresh database, a stand-in source, a folder with a configuration, and
//! the real programs run as processes in it.

mod answer;
mod database;
mod folder;
mod programs;
mod source;
mod state;
mod template;

pub use answer::Answer;
pub use database::TestDatabase;
pub use folder::open_folder;
pub use programs::World;
pub use state::{pick, texts};
