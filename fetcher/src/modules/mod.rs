//! Modules: folders of data that say what to read and what becomes of it.

mod divide;
mod further;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod load;
mod path;
mod problem;
mod resolve;
mod spec;

pub use divide::{Divide, Scale};
pub use load::{Module, load_modules};
pub(crate) use path::join_id;
pub use path::{IdPath, Path};
pub use problem::{ModuleError, nearest, one_of};
pub use spec::{
    Bound, FetchSpec, Nested, NewestFirst, Paging, Reach, Read, Recheck, Since, Style, Window,
};
