//! The native filters an expression may call, and those that count its steps.

use super::budget::{Budget, fits};
use super::payload;
use jaq_core::box_iter::box_once;
use jaq_core::data::{DataT, HasLut};
use jaq_core::native::{Fun, bome, v};
use jaq_core::{Error, Exn, Lut, Native, RunPtr, ValXs};
use jaq_json::Val;

/// The maximum length of a text or list that an expression may build.
const LONGEST: usize = 1 << 20;

/// Filters that read anything outside the record, or end the process. They are removed, so that the value of
/// an expression depends on the record alone.
pub(super) const OUTSIDE: &[&str] = &[
    "env",
    "now",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    "localtime",
    "strflocaltime",
    "input",
    "inputs",
    "input_filename",
    "input_line_number",
];

/// The data type of jaq's filters: the program and the remaining budget.
pub(super) struct Budgeted;

/// The data that native filters can read while they run.
#[derive(Clone)]
pub(super) struct Spending<'a> {
    pub(super) lut: &'a Lut<Budgeted>,
    pub(super) budget: &'a Budget,
}

impl DataT for Budgeted {
    type V<'a> = Val;
    type Data<'a> = Spending<'a>;
}

impl<'a> HasLut<'a, Budgeted> for Spending<'a> {
    fn lut(&self) -> &'a Lut<Budgeted> {
        self.lut
    }
}

/// Every native filter an expression may call.
pub(super) fn natives() -> impl Iterator<Item = Fun<Budgeted>> {
    let replaced = ["range", "fromjson", "tojson"];
    jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs())
        .filter(move |(name, ..)| !OUTSIDE.contains(name) && !replaced.contains(name))
        .chain(fences())
}

fn fences() -> Vec<Fun<Budgeted>> {
    let run =
        |name, arguments, run: RunPtr<Budgeted>| (name, v(arguments), Native::<Budgeted>::new(run));
    let tick: Native<Budgeted> = Native::new(|cv| {
        let within = cv.0.data().budget.spend(1);
        box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
    });
    let tick = tick.with_paths(|cv| {
        let within = cv.0.data().budget.spend(1);
        box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
    });
    let tick = tick.with_update(|cv, update| {
        let within = cv.0.data().budget.spend(1);
        if within {
            update(cv.1)
        } else {
            box_once(Err(Exn::halt(1)))
        }
    });
    let turn: Native<Budgeted> = Native::new(|cv| {
        let within = cv.0.data().budget.turn(&cv.1);
        box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
    });
    let turn = turn.with_paths(|cv| {
        let within = cv.0.data().budget.turn(&cv.1.0);
        box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
    });
    let turn = turn.with_update(|cv, update| {
        let within = cv.0.data().budget.turn(&cv.1);
        if within {
            update(cv.1)
        } else {
            box_once(Err(Exn::halt(1)))
        }
    });
    vec![
        ("!tick", v(0), tick),
        ("!turn", v(0), turn),
        run("!short", 0, |cv| {
            let within = cv.0.data().budget.spend(1) && size(&cv.1) <= LONGEST;
            box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
        }),
        run("!small", 0, |cv| {
            let within = fits(&cv.1, cv.0.data().budget);
            box_once(if within { Ok(cv.1) } else { Err(Exn::halt(1)) })
        }),
        run("!times", 2, |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            if !cv.0.data().budget.spend(1) || repeated(&left, &right) > LONGEST {
                return box_once(Err(Exn::halt(1)));
            }
            bome(left * right)
        }),
        run("range", 3, |mut cv| {
            let by = cv.0.pop_var();
            let to = cv.0.pop_var();
            let from = cv.0.pop_var();
            range(from, to, by, cv.0.data().budget)
        }),
        run("fromjson", 0, |cv| {
            let Val::TStr(text) = &cv.1 else {
                return bome(Err(Error::typ(cv.1, "string")));
            };
            let parsed = std::str::from_utf8(text)
                .ok()
                .and_then(|text| payload::parse(text).ok());
            bome(parsed.ok_or_else(|| Error::str("the text is not JSON")))
        }),
        run("tojson", 0, |cv| {
            if !fits(&cv.1, cv.0.data().budget) {
                return box_once(Err(Exn::halt(1)));
            }
            bome(Ok(Val::from(cv.1.to_string())))
        }),
    ]
}

fn size(value: &Val) -> usize {
    match value {
        Val::TStr(text) | Val::BStr(text) => text.len(),
        Val::Arr(items) => items.len(),
        Val::Obj(fields) => fields.len(),
        Val::Null | Val::Bool(_) | Val::Num(_) => 0,
    }
}

/// The length of the text that multiplying two values would build.
fn repeated(left: &Val, right: &Val) -> usize {
    use jaq_std::ValT;
    match (left, right) {
        (text @ (Val::TStr(_) | Val::BStr(_)), Val::Num(_))
        | (Val::Num(_), text @ (Val::TStr(_) | Val::BStr(_))) => {
            let number = if matches!(left, Val::Num(_)) {
                left
            } else {
                right
            };
            let times = number
                .as_isize()
                .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
            size(text).saturating_mul(times)
        }
        _ => 0,
    }
}

fn range<'a>(from: Val, to: Val, by: Val, budget: &'a Budget) -> ValXs<'a, Val> {
    let zero = Val::from(0usize);
    let mut next = Some(Ok(from));
    Box::new(std::iter::from_fn(move || {
        let value = match next.take()? {
            Ok(value) => value,
            Err(error) => return Some(Err(Exn::from(error))),
        };
        let inside = match by.cmp(&zero) {
            std::cmp::Ordering::Greater => value < to,
            std::cmp::Ordering::Less => value > to,
            std::cmp::Ordering::Equal => value != to,
        };
        if !inside {
            return None;
        }
        if !budget.spend(1) {
            return Some(Err(Exn::halt(1)));
        }
        next = Some(value.clone() + by.clone());
        Some(Ok(value))
    }))
}
