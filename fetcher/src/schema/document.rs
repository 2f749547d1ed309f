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

/// Deeper than any query written by hand; stops fragments that spread themselves.
const MAX_DEPTH: usize = 64;

/// The dotted paths the module's query selects below its record.
pub fn selection_paths(module: &crate::Module) -> BTreeSet<String> {
    let record = module.fetch.connection.join(&module.fetch.nodes);
    QueryDocument::parse(&module.query, &module.fetch.query_file)
        .map(|document| document.paths_below(&record))
        .unwrap_or_default()
}
