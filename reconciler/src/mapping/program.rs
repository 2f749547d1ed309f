//! One jq expression: parsed, checked, given a budget and compiled.

use super::budget::Budget;
use super::fence::{self, Author};
use super::natives::{Budgeted, OUTSIDE, Spending, natives};
use super::payload;
use crate::Rejection;
use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{Arena, File, Lexer, Loader, Parser, span};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::Val;

/// Why an expression is invalid: where, what, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: `{column}`: {problem} {remedy}")]
pub struct MappingError {
    /// The module's file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The column whose expression it is, or the rule's code.
    pub column: String,
    /// What is wrong, as a sentence.
    pub problem: String,
    /// What to do about it, as a sentence.
    pub remedy: String,
}

/// A compiled expression.
pub(super) struct Program {
    filter: Filter<Budgeted>,
}

/// A fault in an expression, at a byte offset.
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Fault {
    /// Converts it to an error with a line; the expression begins on `line` of `file`.
    pub(super) fn into_error(
        self,
        file: &str,
        line: usize,
        column: &str,
        expression: &str,
    ) -> MappingError {
        let before = expression.get(..self.at).unwrap_or(expression);
        MappingError {
            file: file.to_owned(),
            line: line + before.matches('\n').count(),
            column: column.to_owned(),
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// The parser is recursive, so the input is limited.
const LONGEST: usize = 16_384;
const DEEPEST: usize = 64;

const WRITE_JQ: &str = "Correct the jq expression; `concord module preview` shows what it yields.";

/// Parses the expression without compiling it.
pub(super) fn parsed(expression: &str) -> Result<Term<&str>, Fault> {
    if expression.trim().is_empty() {
        return Err(Fault {
            at: 0,
            problem: "The expression is empty.".to_owned(),
            remedy: "Write a path such as `.name`.".to_owned(),
        });
    }
    if expression.len() > LONGEST || bracket_depth(expression) > DEEPEST {
        return Err(Fault {
            at: 0,
            problem: format!(
                "The expression is longer than {LONGEST} bytes, or nests deeper than {DEEPEST} brackets."
            ),
            remedy: "Split it over several columns, or write a typed transform.".to_owned(),
        });
    }
    let unexpected = |wanted: &str, found: &str| {
        let at = if found.is_empty() {
            expression.len()
        } else {
            span(expression, found).start
        };
        let near: String = expression[at..].chars().take(12).collect();
        let near = if near.is_empty() {
            "the end".to_owned()
        } else {
            format!("`{near}`")
        };
        Fault {
            at,
            problem: format!("This is not jq: {wanted} expected at {near}."),
            remedy: WRITE_JQ.to_owned(),
        }
    };
    let tokens = Lexer::new(expression).lex().map_err(|errors| {
        let (wanted, found) = &errors[0];
        unexpected(wanted.as_str(), found)
    })?;
    Parser::new(&tokens)
        .parse(|parser| parser.term())
        .map_err(|errors| {
            let (wanted, found) = &errors[0];
            unexpected(wanted.as_str(), found.map_or("", |token| token.0))
        })
}

/// Brackets inside strings count as well: the only purpose is to protect the parser's stack.
fn bracket_depth(expression: &str) -> usize {
    let mut depth = 0usize;
    let mut deepest = 0;
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

impl Program {
    /// Compiles an expression returned by `parsed`.
    pub(super) fn compile(term: Term<&str>, expression: &str) -> Result<Self, Fault> {
        if let Some(name) = fence::recursion(&term) {
            return Err(Fault {
                at: 0,
                problem: format!(
                    "`{name}` calls itself, and an expression must end on every record."
                ),
                remedy: "Use `map`, `reduce`, `limit` or `recurse` instead.".to_owned(),
            });
        }
        let library = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let library = library
            .filter(|def| !OUTSIDE.contains(&def.name))
            .map(|def| fence::fenced_definition(def, Author::Library));
        let body = fence::fenced(term, Author::Module);
        let main = Def {
            name: "concord_expression",
            args: Vec::new(),
            body,
        };
        let arena = Arena::default();
        let file = File {
            code: "concord_expression",
            path: (),
        };
        let modules = Loader::new(library.chain([main]))
            .load(&arena, file)
            .map_err(|_| unknown(expression, "concord_expression", "filter"))?;
        let filter = Compiler::default()
            .with_funs(natives())
            .compile(modules)
            .map_err(|errors| {
                let fault = errors.iter().flat_map(|(_, errors)| errors).next();
                fault.map_or_else(
                    || unknown(expression, "?", "filter"),
                    |(name, kind)| unknown(expression, name, kind.as_str()),
                )
            })?;
        Ok(Self { filter })
    }

    /// The single output of the expression, or `None` if it has none.
    pub(super) fn run(&self, input: Val, budget: &Budget) -> Result<Option<Val>, Rejection> {
        let context = Ctx::<Budgeted>::new(
            Spending {
                lut: &self.filter.lut,
                budget,
            },
            Vars::new([]),
        );
        let mut outputs = self.filter.id.run((context, input));
        let first = match outputs.next() {
            None => return Ok(None),
            Some(output) => output.map_err(refused)?,
        };
        match outputs.next() {
            None => Ok(Some(first)),
            Some(Err(error)) => Err(refused(error)),
            Some(Ok(_)) => Err(Rejection::new(
                "mapping_many_outputs",
                "The expression yields more than one value for this record. Wrap it in `[…]` for a list, or in `first(…)` for one.",
            )),
        }
    }
}

/// jaq's own message quotes the record's values, so it is not included.
fn refused(error: jaq_core::Exn<'_, Val>) -> Rejection {
    match error.get_err() {
        Ok(_) => Rejection::new(
            "mapping_failed",
            "The expression meets a value of a kind it does not expect. Look at the record with `concord module preview`, and guard the step with `?` or `//`.",
        ),
        Err(_) => payload::too_costly(),
    }
}

fn unknown(expression: &str, name: &str, kind: &str) -> Fault {
    let at = expression.find(name).unwrap_or(0);
    if OUTSIDE.contains(&name) {
        return Fault {
            at,
            problem: format!("`{name}` looks outside the record."),
            remedy: "A value must follow from the record alone: map what the source sends."
                .to_owned(),
        };
    }
    Fault {
        at,
        problem: format!("There is no {kind} `{name}`."),
        remedy: "Correct its name or the number of its arguments.".to_owned(),
    }
}
