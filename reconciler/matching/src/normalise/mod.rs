//! Normal forms: values are compared in them and stored as they came.

mod address;
mod email;
mod mojibake;
mod nicknames;
mod organisation;
mod person;
mod phone;
mod serial;
mod sound;
mod text;

pub use address::{Door, city, postal_code};
pub use email::{Email, email};
pub use mojibake::repaired;
pub use nicknames::{groups_of, related, root};
pub use organisation::Organisation;
pub use person::{Lexicon, Party, Written};
pub use phone::{local_part, phone};
pub use serial::{make, model, serial};
pub use sound::sound;
pub use text::{LIMIT, bounded, digits, folded, is_unknown};
