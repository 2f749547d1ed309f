//! Inserts counting filters into a parsed expression, so that no expression can run forever on any record.
//! Recursive definitions are rejected; those of the standard library (`until`, `recurse`, …) are counted.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

type Node<'s> = Term<&'s str>;

/// The origin of an expression.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Author {
    /// A module's mapping or rule: every term is counted.
    Module,
    /// The standard library: terms that recurse or grow are counted.
    Library,
}

/// The name of a recursive definition, if there is one.
pub(super) fn recursion<'s>(term: &Node<'s>) -> Option<&'s str> {
    let mut found = None;
    visit(term, &mut |inner| {
        if let Term::Def(defs, _) = inner {
            found = found.or(defs
                .iter()
                .find(|def| calls_itself(def))
                .map(|def| def.name));
        }
    });
    found
}

/// The same term with counting filters.
pub(super) fn fenced<'s>(term: Node<'s>, author: Author) -> Node<'s> {
    let inner = |term: Node<'s>| fenced(term, author);
    let boxed = |term: Box<Node<'s>>| Box::new(fenced(*term, author));
    match term {
        Term::Recurse => counted(Term::Recurse, author),
        Term::Str(_, ref parts) if parts.iter().all(|part| !matches!(part, StrPart::Term(_))) => {
            term
        }
        Term::Str(format, parts) => {
            let part = |part| match part {
                StrPart::Term(term) => StrPart::Term(pipe(inner(term), call("!small"))),
                other => other,
            };
            pipe(
                Term::Str(format, parts.into_iter().map(part).collect()),
                call("!short"),
            )
        }
        Term::Arr(items) => Term::Arr(items.map(boxed)),
        Term::Obj(fields) => {
            let fields = fields
                .into_iter()
                .map(|(key, value)| (inner(key), value.map(inner)))
                .collect();
            counted(Term::Obj(fields), author)
        }
        Term::Neg(term) => Term::Neg(boxed(term)),
        Term::BinOp(left, op, right) => operation(inner(*left), op, inner(*right), author),
        Term::Label(name, term) => Term::Label(name, boxed(term)),
        Term::Fold(name, items, pattern, mut steps) => {
            steps = steps.into_iter().map(inner).collect();
            if let Some(update) = steps.get_mut(1) {
                *update = pipe(call("!turn"), std::mem::take(update));
            }
            Term::Fold(name, boxed(items), pattern, steps)
        }
        Term::TryCatch(term, catch) => Term::TryCatch(boxed(term), catch.map(boxed)),
        Term::IfThenElse(branches, otherwise) => {
            let branches = branches
                .into_iter()
                .map(|(test, then)| (inner(test), inner(then)))
                .collect();
            Term::IfThenElse(branches, otherwise.map(boxed))
        }
        Term::Def(defs, term) => {
            let defs = defs
                .into_iter()
                .map(|def| fenced_definition(def, author))
                .collect();
            Term::Def(defs, boxed(term))
        }
        Term::Call(name, arguments) => counted(
            Term::Call(name, arguments.into_iter().map(inner).collect()),
            author,
        ),
        Term::Path(term, Path(parts)) => {
            let iterates = parts
                .iter()
                .any(|(part, _)| matches!(part, Part::Range(..)));
            let part = |part| match part {
                Part::Index(at) => Part::Index(inner(at)),
                Part::Range(from, to) => Part::Range(from.map(inner), to.map(inner)),
            };
            let path = Term::Path(
                boxed(term),
                Path(parts.into_iter().map(|(p, opt)| (part(p), opt)).collect()),
            );
            if iterates {
                counted(path, author)
            } else {
                path
            }
        }
        Term::Id | Term::Num(_) | Term::Break(_) | Term::Var(_) => term,
    }
}

/// A definition whose body is counted, as is each recursive call.
pub(super) fn fenced_definition(def: Def<&str>, author: Author) -> Def<&str> {
    let recursive = calls_itself(&def);
    let body = fenced(def.body, author);
    let body = if recursive {
        pipe(call("!turn"), body)
    } else {
        body
    };
    Def { body, ..def }
}

fn operation<'s>(
    left: Node<'s>,
    op: BinaryOp<&'s str>,
    right: Node<'s>,
    author: Author,
) -> Node<'s> {
    let binary = |left, op, right| Term::BinOp(Box::new(left), op, Box::new(right));
    match op {
        BinaryOp::Math(math) => arithmetic(left, math, right, author),
        // jq defines `l += r` as `r as $x | l |= . + $x`; in that form the sum can be counted.
        BinaryOp::UpdateMath(math @ (Math::Add | Math::Mul)) => {
            let sum = arithmetic(Term::Id, math, Term::Var("$!right"), author);
            binary(
                right,
                BinaryOp::Pipe(Some(Pattern::Var("$!right"))),
                binary(left, BinaryOp::Update, sum),
            )
        }
        BinaryOp::Pipe(pattern) if author == Author::Module => {
            binary(left, BinaryOp::Pipe(pattern), pipe(call("!tick"), right))
        }
        BinaryOp::Cmp(_) | BinaryOp::And | BinaryOp::Or => counted(binary(left, op, right), author),
        _ => binary(left, op, right),
    }
}

fn arithmetic<'s>(left: Node<'s>, math: Math, right: Node<'s>, author: Author) -> Node<'s> {
    match math {
        Math::Mul => Term::Call("!times", vec![left, right]),
        Math::Add => pipe(
            Term::BinOp(Box::new(left), BinaryOp::Math(math), Box::new(right)),
            call("!short"),
        ),
        _ => counted(
            Term::BinOp(Box::new(left), BinaryOp::Math(math), Box::new(right)),
            author,
        ),
    }
}

fn counted<'s>(term: Node<'s>, author: Author) -> Node<'s> {
    match author {
        Author::Module => pipe(term, call("!tick")),
        Author::Library => term,
    }
}

fn pipe<'s>(left: Node<'s>, right: Node<'s>) -> Node<'s> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right))
}

fn call(name: &str) -> Node<'_> {
    Term::Call(name, Vec::new())
}

fn calls_itself(def: &Def<&str>) -> bool {
    let mut found = false;
    visit(&def.body, &mut |term| {
        if let Term::Call(name, arguments) = term {
            found |= *name == def.name && arguments.len() == def.args.len();
        }
    });
    found
}

/// Calls `seen` with the term and every term in it.
fn visit<'t, 's>(term: &'t Node<'s>, seen: &mut impl FnMut(&'t Node<'s>)) {
    seen(term);
    match term {
        Term::Id
        | Term::Recurse
        | Term::Num(_)
        | Term::Break(_)
        | Term::Var(_)
        | Term::Arr(None) => {}
        Term::Str(_, parts) => parts.iter().for_each(|part| {
            if let StrPart::Term(term) = part {
                visit(term, seen);
            }
        }),
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => visit(term, seen),
        Term::Obj(fields) => fields.iter().for_each(|(key, value)| {
            visit(key, seen);
            value.iter().for_each(|value| visit(value, seen));
        }),
        Term::BinOp(left, _, right) => {
            visit(left, seen);
            visit(right, seen);
        }
        Term::Fold(_, items, _, steps) => {
            visit(items, seen);
            steps.iter().for_each(|step| visit(step, seen));
        }
        Term::TryCatch(term, catch) => {
            visit(term, seen);
            catch.iter().for_each(|catch| visit(catch, seen));
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().for_each(|(test, then)| {
                visit(test, seen);
                visit(then, seen);
            });
            otherwise
                .iter()
                .for_each(|otherwise| visit(otherwise, seen));
        }
        Term::Def(defs, term) => {
            defs.iter().for_each(|def| visit(&def.body, seen));
            visit(term, seen);
        }
        Term::Call(_, arguments) => arguments.iter().for_each(|argument| visit(argument, seen)),
        Term::Path(term, Path(parts)) => {
            visit(term, seen);
            parts.iter().for_each(|(part, _)| match part {
                Part::Index(at) => visit(at, seen),
                Part::Range(from, to) => from.iter().chain(to).for_each(|bound| visit(bound, seen)),
            });
        }
    }
}
