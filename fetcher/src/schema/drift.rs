//! The shape of a module's queries in the source's schema, and how it changed.

use std::collections::{BTreeMap, BTreeSet};

use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use serde::{Deserialize, Serialize};

use super::sdl::Sdl;
use crate::modules::load::Module;

/// A valid schema that queries can be checked against.
pub struct Checked {
    schema: Valid<Schema>,
}

/// The types of a module's queries in a schema, to compare with a later schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The type at each path the queries select, without its nullability: `[String]`.
    pub types: BTreeMap<String, String>,
    /// The fields that the record's type has, selected or not.
    pub fields: BTreeSet<String>,
    /// The values of each enum that is selected.
    pub values: BTreeMap<String, BTreeSet<String>>,
}

/// How a shape changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drift {
    /// Breaking changes: the path, if known, and what happened to it.
    pub breaking: Vec<(Option<String>, String)>,
    /// Additions, which are harmless.
    pub additive: Vec<String>,
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checked").finish_non_exhaustive()
    }
}

impl Checked {
    /// Parses a schema; `None` if it is not valid, so that nothing can be checked against it.
    pub fn read(sdl: &Sdl) -> Option<Checked> {
        let schema = Schema::parse_and_validate(&sdl.0, "schema.graphql").ok()?;
        Some(Checked { schema })
    }

    /// The module's shape, or why the source would refuse its queries now.
    pub fn shape(&self, module: &Module) -> Result<Shape, Vec<(Option<String>, String)>> {
        let mut shape = Shape::default();
        let mut problems = Vec::new();
        let nested = module.fetch.nested.iter().map(|nested| &nested.query);
        for query in std::iter::once(&module.query).chain(nested) {
            match ExecutableDocument::parse_and_validate(&self.schema, &**query, "query.graphql") {
                Ok(document) => {
                    for operation in document.operations.iter() {
                        self.walk(&document, &operation.selection_set, "", &mut shape, 0);
                    }
                }
                Err(broken) => problems.extend(broken.errors.iter().map(|diagnostic| {
                    let message = diagnostic.error.to_string();
                    let field = message.split('`').nth(1).map(str::to_owned);
                    let field = field.filter(|_| message.contains("field"));
                    (field, message)
                })),
            }
        }
        let record = module
            .fetch
            .connection
            .join(&module.fetch.nodes)
            .to_string();
        let record = record.trim_start_matches('.');
        shape.fields = self.fields_of(shape.types.get(record));
        match problems.is_empty() {
            true => Ok(shape),
            false => Err(problems),
        }
    }

    fn fields_of(&self, of: Option<&String>) -> BTreeSet<String> {
        let name = of.map(|of| of.trim_matches(['[', ']'])).unwrap_or_default();
        match self.schema.types.get(name) {
            Some(ExtendedType::Object(object)) => {
                object.fields.keys().map(ToString::to_string).collect()
            }
            _ => BTreeSet::new(),
        }
    }

    fn walk(
        &self,
        document: &ExecutableDocument,
        set: &SelectionSet,
        above: &str,
        shape: &mut Shape,
        depth: usize,
    ) {
        if depth > 64 {
            return;
        }
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    let path = match above {
                        "" => field.response_key().to_string(),
                        _ => format!("{above}.{}", field.response_key()),
                    };
                    let of = field.definition.ty.to_string().replace('!', "");
                    let name = field.definition.ty.inner_named_type();
                    if let Some(ExtendedType::Enum(values)) = self.schema.types.get(name) {
                        let values = values.values.keys().map(ToString::to_string);
                        shape.values.insert(name.to_string(), values.collect());
                    }
                    shape.types.insert(path.clone(), of);
                    self.walk(document, &field.selection_set, &path, shape, depth + 1);
                }
                Selection::InlineFragment(inline) => {
                    self.walk(document, &inline.selection_set, above, shape, depth + 1);
                }
                Selection::FragmentSpread(spread) => {
                    let fragment: Option<&Node<_>> = document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment {
                        self.walk(document, &fragment.selection_set, above, shape, depth + 1);
                    }
                }
            }
        }
    }
}

impl Shape {
    /// The changes since `before`. A removed enum value is harmless: no record can have it any more.
    pub fn since(&self, before: &Shape) -> Drift {
        let mut drift = Drift::default();
        for (path, of) in &self.types {
            if let Some(was) = before.types.get(path).filter(|was| *was != of) {
                let told = format!("`{path}` was {was} and is {of}");
                drift.breaking.push((Some(path.clone()), told));
            }
        }
        let fields = self.fields.difference(&before.fields);
        drift
            .additive
            .extend(fields.map(|field| format!("new field `{field}`, not mapped")));
        for (name, values) in &self.values {
            let Some(known) = before.values.get(name) else {
                continue;
            };
            let new = values.difference(known);
            drift
                .additive
                .extend(new.map(|value| format!("new value {value} of {name}")));
        }
        drift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str =
        "type Query { all: [Thing] } type Thing { id: ID! year: Int kind: Kind of: Maker }
        type Maker { name: String } enum Kind { A B }";

    fn shape(sdl: &str) -> Result<Shape, Vec<(Option<String>, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("things");
        std::fs::create_dir(&within).unwrap();
        let files = [
            (
                "module.yaml",
                "module: things\nsource: demo\nfetch:\n  connection: all\n",
            ),
            (
                "query.graphql",
                "{ all { id year kind ...M } } fragment M on Thing { of { name } }",
            ),
            ("contract.yaml", "apiVersion: v3.1.0\n"),
        ];
        for (name, text) in files {
            std::fs::write(within.join(name), text).unwrap();
        }
        let modules = crate::load_modules(&[folder.path().to_owned()]).unwrap();
        let module = modules
            .iter()
            .find(|module| module.name == "things")
            .unwrap();
        Checked::read(&Sdl(sdl.to_owned())).unwrap().shape(module)
    }

    #[test]
    fn changes_are_breaking_or_additive_by_what_the_query_reads() {
        let before = shape(BEFORE).unwrap();
        let since = |from: &str, to: &str| shape(&BEFORE.replace(from, to)).unwrap().since(&before);
        assert_eq!(since("x", "x"), Drift::default());
        assert_eq!(
            since("year: Int", "year: Int!"),
            Drift::default(),
            "stricter is no harm"
        );
        assert_eq!(since("B }", "}"), Drift::default());
        let retyped = since("year: Int", "year: String").breaking;
        assert_eq!(
            retyped,
            [(
                Some("all.year".to_owned()),
                "`all.year` was Int and is String".to_owned()
            )]
        );
        assert_eq!(since("name: String", "name: [String]").breaking.len(), 1);
        assert_eq!(
            since("year: Int", "year: Int size: Int").additive,
            ["new field `size`, not mapped"]
        );
        assert_eq!(since("B }", "B C }").additive, ["new value C of Kind"]);
        for gone in ["year: Int", "of: Maker"] {
            let problems = shape(&BEFORE.replace(gone, "")).unwrap_err();
            assert!(
                problems.iter().any(|(field, _)| field.is_some()),
                "{problems:?}"
            );
        }
        assert!(Checked::read(&Sdl("type Thing { id: Gone }".to_owned())).is_none());
    }
}
