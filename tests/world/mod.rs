//! A world of its own for each test: a fresh database, a stand-in source, a folder with a configuration, and
//! the real programs run as processes in it.

mod answer;
mod database;
mod folder;
mod list_module;
mod list_world;
mod lists;
mod programs;
mod source;
mod state;
mod template;

pub use answer::Answer;
pub use database::TestDatabase;
pub use folder::open_folder;
pub use list_module::ListModule;
pub use list_world::ListWorld;
pub use programs::World;
pub use state::{pick, texts};
