//! The payload paths that an expression reads, found from its text: `module check` compares them with the
//! query. If a value is computed, nothing is reported about reads from it.

use super::reach::{Reach, literal};
use crate::Rejection;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::path::{Opt, Part, Path};
use jaq_json::{Map, Val};

/// A path of literal keys and indices, such as `.contact.emails[0].address`.
pub(super) struct PlainPath(Vec<(Stop, bool)>);

enum Stop {
    Key(String),
    Index(isize),
}

impl PlainPath {
    /// The path, if the expression is nothing else.
    pub(super) fn of(term: &Term<&str>) -> Option<Self> {
        let mut stops = Vec::new();
        collect(term, &mut stops)?;
        Some(Self(stops))
    }

    /// The value at the path; `None` if the payload does not have it.
    pub(super) fn find<'v>(&self, input: &'v Val) -> Result<Option<&'v Val>, Rejection> {
        let mut value = input;
        for (stop, optional) in &self.0 {
            let next = match (stop, value) {
                // Null has no fields: the value of the path is null.
                (_, Val::Null) => return Ok(Some(value)),
                (Stop::Key(key), Val::Obj(fields)) => field(fields, key),
                (Stop::Index(at), Val::Arr(items)) => {
                    let at = if *at < 0 {
                        items.len().checked_add_signed(*at)
                    } else {
                        usize::try_from(*at).ok()
                    };
                    at.and_then(|at| items.get(at))
                }
                _ if *optional => None,
                _ => {
                    return Err(Rejection::new(
                        "mapping_failed",
                        "The path leads through a value that has no fields. Look at the record with `concord module preview`, and correct the path.",
                    ));
                }
            };
            match next {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

/// Objects are small, so a linear search is faster than hashing a key.
fn field<'v>(fields: &'v Map, wanted: &str) -> Option<&'v Val> {
    let is_wanted =
        |key: &Val| matches!(key, Val::TStr(text) if text.as_ref() == wanted.as_bytes());
    fields
        .iter()
        .find(|(key, _)| is_wanted(key))
        .map(|(_, value)| value)
}

fn collect(term: &Term<&str>, stops: &mut Vec<(Stop, bool)>) -> Option<()> {
    match term {
        Term::Id => Some(()),
        Term::BinOp(left, BinaryOp::Pipe(None), right) => {
            collect(left, stops)?;
            collect(right, stops)
        }
        Term::Path(base, Path(parts)) => {
            collect(base, stops)?;
            for (part, opt) in parts {
                let Part::Index(at) = part else { return None };
                let stop = literal(at)
                    .map(|key| Stop::Key(key.to_owned()))
                    .or_else(|| index(at).map(Stop::Index))?;
                stops.push((stop, matches!(opt, Opt::Optional)));
            }
            Some(())
        }
        _ => None,
    }
}

fn index(term: &Term<&str>) -> Option<isize> {
    match term {
        Term::Num(number) => number.parse().ok(),
        Term::Neg(inner) => index(inner).map(|n| -n),
        _ => None,
    }
}

/// Every path that the expression reads, sorted, without duplicates.
pub(super) fn reads(term: &Term<&str>) -> Vec<String> {
    let mut reach = Reach::default();
    let outputs = reach.follow(term, &[String::new()]);
    reach.read.extend(outputs);
    let mut read: Vec<String> = reach
        .read
        .into_iter()
        .filter(|path| !path.is_empty())
        .collect();
    read.sort();
    read.dedup();
    // A path that is only the prefix of another is not itself read.
    let leads = |path: &str| {
        read.iter().any(|other| {
            other
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    read.iter().filter(|path| !leads(path)).cloned().collect()
}
