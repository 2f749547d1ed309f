//! Modules: folders that describe what to read and how to reconcile it.

pub(crate) mod bound;
pub(crate) mod divide;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod load;
mod module_file;
mod nested_spec;
mod partition_spec;
pub(crate) mod path;
mod resolve;
pub(crate) mod spec;
mod yaml;

pub use bound::Bound;
pub use divide::{Divide, Scale};
pub use load::{Module, load_modules};
pub use path::{IdPath, Path};
pub use spec::{
    FetchSpec, Nested, NewestFirst, Paging, Reach, Read, Recheck, Since, Style, Window,
};
