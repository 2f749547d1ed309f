//! Finds the payload paths that an expression reads, without running it.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

/// Filters that return their input or elements of it.
const PASSING: &[&str] = &[
    "select",
    "first",
    "last",
    "nth",
    "sort",
    "sort_by",
    "unique",
    "unique_by",
    "min",
    "max",
    "min_by",
    "max_by",
    "group_by",
    "reverse",
    "values",
    "nulls",
    "strings",
    "numbers",
    "booleans",
    "arrays",
    "objects",
    "scalars",
    "iterables",
    "flatten",
    "del",
];

/// Filters that return the outputs of their last argument.
const YIELDING: &[&str] = &["map", "limit", "skip", "add"];

/// Filters whose arguments are not applied to their input.
const REBINDING: &[&str] = &[
    "sub",
    "gsub",
    "with_entries",
    "walk",
    "recurse",
    "until",
    "while",
    "repeat",
    "any",
    "all",
    "map_values",
    "pick",
    "paths",
    "getpath",
];

/// The paths read so far, and the bindings of names.
#[derive(Default)]
pub(super) struct Reach<'t> {
    pub(super) read: Vec<String>,
    variables: Vec<(&'t str, Vec<String>)>,
    filters: Vec<(&'t str, usize, &'t Term<&'t str>)>,
    calls: usize,
}

/// Limits the calls followed: definitions can call each other so that following all takes exponential time.
const MOST_CALLS: usize = 1000;

impl<'t> Reach<'t> {
    /// The paths that a term's outputs may come from; a computed output has none.
    pub(super) fn follow(&mut self, term: &'t Term<&'t str>, input: &[String]) -> Vec<String> {
        match term {
            Term::Id => input.to_vec(),
            Term::Path(base, Path(parts)) => self.path(base, parts, input),
            Term::BinOp(left, op, right) => self.operation(left, op, right, input),
            Term::Call(name, arguments) => self.call(name, arguments, input),
            Term::Var(name) => {
                let bound = self.variables.iter().rev().find(|(known, _)| known == name);
                bound.map(|(_, paths)| paths.clone()).unwrap_or_default()
            }
            Term::Arr(Some(items)) => self.follow(items, input),
            Term::Label(_, term) => self.follow(term, input),
            Term::IfThenElse(branches, otherwise) => {
                let mut outputs = Vec::new();
                for (test, then) in branches {
                    self.consume(test, input);
                    outputs.extend(self.follow(then, input));
                }
                match otherwise {
                    Some(otherwise) => outputs.extend(self.follow(otherwise, input)),
                    None => outputs.extend_from_slice(input),
                }
                outputs
            }
            Term::TryCatch(term, catch) => {
                let outputs = self.follow(term, input);
                if let Some(catch) = catch {
                    self.consume(catch, &[]);
                }
                outputs
            }
            Term::Def(defs, term) => {
                let known = self.filters.len();
                self.filters.extend(
                    defs.iter()
                        .map(|Def { name, args, body }| (*name, args.len(), body)),
                );
                let outputs = self.follow(term, input);
                self.filters.truncate(known);
                outputs
            }
            Term::Fold(_, items, pattern, steps) => {
                let items = self.follow(items, input);
                let bound = self.variables.len();
                self.bind(pattern, &items, input);
                for (at, step) in steps.iter().enumerate() {
                    self.consume(step, if at == 0 { input } else { &[] });
                }
                self.variables.truncate(bound);
                Vec::new()
            }
            Term::Str(_, parts) => {
                for part in parts {
                    if let StrPart::Term(term) = part {
                        self.consume(term, input);
                    }
                }
                Vec::new()
            }
            Term::Obj(fields) => {
                self.object(fields, input);
                Vec::new()
            }
            Term::Neg(term) => {
                self.consume(term, input);
                Vec::new()
            }
            Term::Recurse => {
                self.read.extend_from_slice(input);
                Vec::new()
            }
            Term::Num(_) | Term::Break(_) | Term::Arr(None) => Vec::new(),
        }
    }

    fn object(&mut self, fields: &'t [(Term<&'t str>, Option<Term<&'t str>>)], input: &[String]) {
        for (key, value) in fields {
            match (value, literal(key)) {
                (Some(value), _) => {
                    self.consume(key, input);
                    self.consume(value, input);
                }
                (None, Some(name)) => self.read.extend(below(input, name)),
                (None, None) => self.consume(key, input),
            }
        }
    }

    /// Follows a term whose outputs are used in a computation: they count as read.
    fn consume(&mut self, term: &'t Term<&'t str>, input: &[String]) {
        let outputs = self.follow(term, input);
        self.read.extend(outputs);
    }

    fn path(
        &mut self,
        base: &'t Term<&'t str>,
        parts: &'t [(Part<Term<&'t str>>, jaq_core::path::Opt)],
        input: &[String],
    ) -> Vec<String> {
        let mut paths = self.follow(base, input);
        for (part, _) in parts {
            match part {
                Part::Index(at) => match (literal(at), at) {
                    (Some(key), _) => paths = below(&paths, key),
                    // An index keeps the path of the list: a query selects the fields of its items.
                    (None, Term::Num(_) | Term::Neg(_)) => {}
                    (None, computed) => {
                        self.consume(computed, input);
                        self.read.append(&mut paths);
                    }
                },
                Part::Range(from, to) => from
                    .iter()
                    .chain(to)
                    .for_each(|bound| self.consume(bound, input)),
            }
        }
        paths
    }

    fn operation(
        &mut self,
        left: &'t Term<&'t str>,
        op: &'t BinaryOp<&'t str>,
        right: &'t Term<&'t str>,
        input: &[String],
    ) -> Vec<String> {
        match op {
            BinaryOp::Pipe(None) => {
                let middle = self.follow(left, input);
                self.follow(right, &middle)
            }
            BinaryOp::Pipe(Some(pattern)) => {
                let value = self.follow(left, input);
                let bound = self.variables.len();
                self.bind(pattern, &value, input);
                let outputs = self.follow(right, input);
                self.variables.truncate(bound);
                outputs
            }
            BinaryOp::Comma | BinaryOp::Alt => {
                let mut outputs = self.follow(left, input);
                outputs.extend(self.follow(right, input));
                outputs
            }
            BinaryOp::Update => {
                let target = self.follow(left, input);
                self.consume(right, &target);
                self.read.extend(target);
                input.to_vec()
            }
            BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.consume(left, input);
                self.consume(right, input);
                input.to_vec()
            }
            BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                self.consume(left, input);
                self.consume(right, input);
                Vec::new()
            }
        }
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &'t [Term<&'t str>],
        input: &[String],
    ) -> Vec<String> {
        let own = self
            .filters
            .iter()
            .rev()
            .find(|(known, arity, _)| *known == name && *arity == arguments.len())
            .copied();
        if let Some((_, _, body)) = own {
            // The inputs of these arguments are known only at run time.
            arguments
                .iter()
                .for_each(|argument| self.consume(argument, &[]));
            self.calls += 1;
            return if self.calls > MOST_CALLS {
                Vec::new()
            } else {
                self.follow(body, input)
            };
        }
        if REBINDING.contains(&name) {
            arguments
                .iter()
                .for_each(|argument| self.consume(argument, &[]));
            self.read.extend_from_slice(input);
            return Vec::new();
        }
        if name == "empty" || name == "error" {
            arguments
                .iter()
                .for_each(|argument| self.consume(argument, input));
            return Vec::new();
        }
        let outputs: Vec<Vec<String>> = arguments
            .iter()
            .map(|argument| self.follow(argument, input))
            .collect();
        match outputs.last() {
            Some(last)
                if YIELDING.contains(&name)
                    || matches!((name, arguments.len()), ("first" | "last", 1)) =>
            {
                last.clone()
            }
            _ => {
                self.read.extend(outputs.into_iter().flatten());
                if PASSING.contains(&name) {
                    return input.to_vec();
                }
                self.read.extend_from_slice(input);
                Vec::new()
            }
        }
    }

    fn bind(&mut self, pattern: &'t Pattern<&'t str>, value: &[String], input: &[String]) {
        match pattern {
            Pattern::Var(name) => self.variables.push((name, value.to_vec())),
            Pattern::Arr(items) => items.iter().for_each(|item| self.bind(item, value, input)),
            Pattern::Obj(fields) => {
                for (key, pattern) in fields {
                    let inner = match (literal(key), key) {
                        (Some(name), _) => below(value, name),
                        (None, Term::Var(name)) => below(value, name.trim_start_matches('$')),
                        (None, computed) => {
                            self.consume(computed, input);
                            Vec::new()
                        }
                    };
                    self.bind(pattern, &inner, input);
                }
            }
        }
    }
}

fn below(paths: &[String], key: &str) -> Vec<String> {
    let join = |path: &String| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    paths.iter().map(join).collect()
}

/// The text of a string literal without escapes or interpolation.
pub(super) fn literal<'s>(term: &Term<&'s str>) -> Option<&'s str> {
    match term {
        Term::Str(None, parts) => match parts.as_slice() {
            [StrPart::Str(text)] => Some(text),
            _ => None,
        },
        _ => None,
    }
}
