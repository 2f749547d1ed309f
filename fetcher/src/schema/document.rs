//! What a query declares and selects, read from its text alone.

use std::collections::BTreeSet;
use std::collections::HashMap;

use apollo_compiler::Node;
use apollo_compiler::ast::{Document, FragmentDefinition, OperationDefinition, Selection};

use super::check::{Problem, problems_of};
use crate::modules::Path;

/// A parsed query document with exactly one query operation.
#[derive(Debug)]
pub struct QueryDocument {
    operation: Node<OperationDefinition>,
    fragments: HashMap<String, Node<FragmentDefinition>>,
}

impl QueryDocument {
    /// Parses a document; anything but one query is a problem.
    pub fn parse(text: &str, file: &str) -> Result<QueryDocument, Vec<Problem>> {
        let document =
            Document::parse(text, file).map_err(|broken| problems_of(file, &broken.errors))?;
        let mut operations = document
            .definitions
            .iter()
            .filter_map(|d| d.as_operation_definition());
        let (Some(operation), None) = (operations.next(), operations.next()) else {
            return Err(vec![Problem::of_file(
                file,
                "the document does not hold exactly one operation",
                "Keep one `query` and move others to files of their own.",
            )]);
        };
        if !operation.operation_type.is_query() {
            return Err(vec![Problem::of_file(
                file,
                format!("the operation is a {}", operation.operation_type.name()),
                "Write a `query`: modules only read.",
            )]);
        }
        Ok(QueryDocument {
            operation: operation.clone(),
            fragments: document
                .definitions
                .iter()
                .filter_map(|d| d.as_fragment_definition())
                .map(|fragment| (fragment.name.to_string(), fragment.clone()))
                .collect(),
        })
    }

    /// The names of the declared variables.
    pub fn variables(&self) -> Vec<&str> {
        self.operation
            .variables
            .iter()
            .map(|v| v.name.as_str())
            .collect()
    }

    /// The declared variables that must be given a value.
    pub fn required_variables(&self) -> Vec<&str> {
        let required = self
            .operation
            .variables
            .iter()
            .filter(|v| v.ty.is_non_null() && v.default_value.is_none());
        required.map(|v| v.name.as_str()).collect()
    }

    /// Whether the query selects this path of response names below `data`.
    pub fn selects(&self, path: &Path) -> bool {
        !self.sets_at(path).is_empty() || path.is_empty()
    }

    /// Every dotted path the query selects below `path`, inner nodes and leaves.
    pub fn paths_below(&self, path: &Path) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for set in self.sets_at(path) {
            self.collect(set, "", 0, &mut found);
        }
        found
    }

    /// The response names directly below `path`.
    pub fn names_at(&self, path: &Path) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for set in self.sets_at(path) {
            self.fields(set, 0, &mut |name, _| {
                names.insert(name.to_owned());
            });
        }
        names
    }

    /// The selection sets that answer at `path`; the same name may be selected in several places.
    fn sets_at(&self, path: &Path) -> Vec<&[Selection]> {
        let mut sets: Vec<&[Selection]> = vec![&self.operation.selection_set];
        for segment in path.segments() {
            let mut below = Vec::new();
            for set in sets {
                self.fields(set, 0, &mut |name, selection| {
                    if name == segment {
                        below.push(selection);
                    }
                });
            }
            sets = below;
        }
        sets
    }

    /// The document without what it selects at these paths, nor the variables and fragments that only stood
    /// there; `None` where a path is not selected outside of fragments, or nothing would be left beside it.
    pub fn without(&self, paths: &[Path]) -> Option<String> {
        let mut operation = self.operation.clone();
        let inner = operation.make_mut();
        for path in paths {
            remove(&mut inner.selection_set, path.segments()).then_some(())?;
        }
        let mut rest = self.fragments.clone();
        let mut kept = String::new();
        let bare = OperationDefinition {
            variables: Vec::new(),
            ..inner.clone()
        };
        let mut used = vec![bare.to_string()];
        while let Some(text) = used.pop() {
            for name in names_behind("...", &text) {
                used.extend(rest.remove(name).map(|fragment| fragment.to_string()));
            }
            kept = kept + &text + "\n";
        }
        let variables: BTreeSet<&str> = names_behind("$", &kept).collect();
        inner
            .variables
            .retain(|variable| variables.contains(variable.name.as_str()));
        let fragments = self.fragments.iter();
        let fragments = fragments.filter(|(name, _)| !rest.contains_key(*name));
        let mut text = operation.to_string();
        for (_, fragment) in fragments {
            text = text + "\n" + &fragment.to_string();
        }
        let without = QueryDocument::parse(&text, "query.graphql").ok()?;
        let gone = paths.iter().all(|path| !without.selects(path));
        gone.then_some(text)
    }

    fn collect(&self, set: &[Selection], prefix: &str, depth: usize, found: &mut BTreeSet<String>) {
        if depth > MAX_DEPTH {
            return;
        }
        self.fields(set, 0, &mut |name, below| {
            let path = match prefix {
                "" => name.to_owned(),
                _ => format!("{prefix}.{name}"),
            };
            self.collect(below, &path, depth + 1, found);
            found.insert(path);
        });
    }

    /// Calls `each` with response name and selection of every field, through fragments.
    fn fields<'a>(
        &'a self,
        set: &'a [Selection],
        depth: usize,
        each: &mut dyn FnMut(&'a str, &'a [Selection]),
    ) {
        if depth > MAX_DEPTH {
            return;
        }
        for selection in set {
            match selection {
                Selection::Field(field) => {
                    each(field.response_name().as_str(), &field.selection_set);
                }
                Selection::InlineFragment(inline) => {
                    self.fields(&inline.selection_set, depth + 1, each);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.fragments.get(spread.fragment_name.as_str()) {
                        self.fields(&fragment.selection_set, depth + 1, each);
                    }
                }
            }
        }
    }
}

/// Takes a field out of the selection. Answers whether it was there and something is left beside it.
fn remove(set: &mut Vec<Selection>, path: &[String]) -> bool {
    let [first, rest @ ..] = path else {
        return false;
    };
    let before = set.len();
    if rest.is_empty() {
        set.retain(|selection| !matches!(selection, Selection::Field(field) if **field.response_name() == **first));
    }
    let mut found = set.len() < before && !set.is_empty();
    for selection in set {
        found |= match selection {
            Selection::Field(field) if **field.response_name() == **first => {
                remove(&mut field.make_mut().selection_set, rest)
            }
            Selection::InlineFragment(inline) => remove(&mut inline.make_mut().selection_set, path),
            _ => false,
        };
    }
    found
}

/// The names that follow a sign in a text.
fn names_behind<'t>(sign: &'t str, text: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(sign).skip(1).map(|rest| {
        let rest = rest.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// Deeper than any query written by hand; stops fragments that spread themselves.
const MAX_DEPTH: usize = 64;

/// The dotted paths the module's query selects below its record.
pub fn selection_paths(module: &crate::Module) -> BTreeSet<String> {
    let record = module.fetch.connection.join(&module.fetch.nodes);
    QueryDocument::parse(&module.query, &module.fetch.query_file)
        .map(|document| document.paths_below(&record))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_taken_out_with_what_only_it_needed() {
        let text = "query Q($after: String, $size: Int, $kind: Kind) {
            all(after: $after) { nodes { id contacts(first: $size, kind: $kind) { nodes { ...C } pageInfo { hasNextPage } } ...P } } }
            fragment C on Contact { id ...D } fragment D on Contact { mail } fragment P on Client { name(kind: $kind) }";
        let document = QueryDocument::parse(text, "q").unwrap();
        let path = |text: &str| Path::parse(text).unwrap();
        let without = document.without(&[path("all.nodes.contacts")]).unwrap();
        let parsed = QueryDocument::parse(&without, "q").unwrap();
        assert_eq!(parsed.variables(), ["after", "kind"]);
        let left = parsed.paths_below(&path("all.nodes"));
        assert_eq!(left.into_iter().collect::<Vec<_>>(), ["id", "name"]);
        assert!(
            !without.contains("fragment C") && !without.contains("fragment D"),
            "{without}"
        );
        // Not there, alone, or within a fragment.
        for refused in [
            "all.nodes.contact",
            "all",
            "all.nodes.contacts.nodes.id",
            "all.nodes.name",
        ] {
            assert_eq!(document.without(&[path(refused)]), None, "{refused}");
        }
    }
}
