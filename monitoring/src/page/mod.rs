//! The home page: what is the state, since when, why, and what can be done now.

mod card;
mod causes;
mod home;
mod icons;
mod language;
mod layout;
mod notices;
mod table;
mod words;

pub(crate) use home::{away, home};
pub(crate) use language::{Language, preferred};

/// The one style sheet; nothing is styled inside the page, so that the security policy can forbid it.
pub(crate) const STYLE: &str = include_str!("style.css");
