//! Queries for a source that refuses a query as too deep: the query without its deepest nested connections,
//! and a query of its own for each of those.

use std::sync::Arc;

use crate::failure::error::FetchError;
use crate::modules::load::Module;
use crate::modules::spec::Nested;
use crate::schema::document::QueryDocument;
use crate::source::open::Source;

/// The queries of a module without some of its nested connections, the deepest first.
#[derive(Debug)]
pub(super) struct ShallowQueries {
    /// The module's own.
    pub query: Arc<str>,
    /// Those of its nested connections, in the order in which it declares them.
    pub nested: Vec<NestedQuery>,
    /// How many are queried separately.
    pub depth: u32,
}

/// The query of one nested connection.
#[derive(Debug)]
pub(super) struct NestedQuery {
    /// The query for its further pages, or for all of them.
    pub query: Arc<str>,
    /// Whether it is read from its beginning.
    pub alone: bool,
}

impl ShallowQueries {
    /// The queries to begin with: as deep as the source accepted lately.
    pub(super) fn remembered(source: &Source, module: &Module) -> Self {
        let depth = source.page_size(&depth_kind(module));
        depth
            .and_then(|depth| Self::of(module, depth))
            .unwrap_or_else(|| Self::unchanged(module))
    }

    /// The queries with one more nested connection left out, or the failure where none can be.
    pub(super) fn shallower(
        &self,
        source: &Source,
        module: &Module,
        failure: FetchError,
    ) -> Result<Self, FetchError> {
        let Some(queries) = Self::of(module, self.depth + 1) else {
            return Err(failure);
        };
        tracing::warn!(module = %module.name, asked_alone = queries.depth, reason = %failure,
            "the source refuses a query of this depth; its deepest nested connections are asked for by themselves");
        source.remember_page_size(&depth_kind(module), queries.depth);
        Ok(queries)
    }

    /// Every query as the module has it.
    fn unchanged(module: &Module) -> Self {
        let nested = module.fetch.nested.iter().map(|nested| NestedQuery {
            query: nested.query.clone(),
            alone: false,
        });
        Self {
            query: module.query.clone(),
            nested: nested.collect(),
            depth: 0,
        }
    }

    /// The queries without this many nested connections; `None` if there are fewer, or one cannot be left
    /// out. One whose own query selects other fields stays, or the record's content would change.
    fn of(module: &Module, depth: u32) -> Option<Self> {
        let all = &module.fetch.nested;
        let mut deepest: Vec<&Nested> = all.iter().collect();
        deepest.sort_by_key(|nested| std::cmp::Reverse(nested.at.segments().len()));
        let alone = deepest.get(..usize::try_from(depth).ok()?)?;
        let record = module.fetch.connection.join(&module.fetch.nodes);
        let parse = |query: &str| QueryDocument::parse(query, "query.graphql").ok();
        let whole = parse(&module.query)?;
        for nested in alone {
            let own = parse(&nested.query)?;
            let same =
                whole.paths_below(&record.join(&nested.at)) == own.paths_below(&nested.connection);
            let cursor = nested.cursor_variable.as_str();
            (same && !own.required_variables().contains(&cursor)).then_some(())?;
        }
        let paths: Vec<_> = alone.iter().map(|nested| record.join(&nested.at)).collect();
        let queries = all.iter().map(|nested| {
            let document = parse(&nested.query)?;
            let within = alone.iter().filter_map(|inner| {
                let below = inner.at.below(&nested.at)?;
                Some(nested.connection.join(&below))
            });
            let within: Vec<_> = within.filter(|path| document.selects(path)).collect();
            let query = match within.is_empty() {
                true => nested.query.clone(),
                false => document.without(&within)?.into(),
            };
            let alone = alone.iter().any(|other| std::ptr::eq(*other, nested));
            Some(NestedQuery { query, alone })
        });
        Some(Self {
            nested: queries.collect::<Option<_>>()?,
            query: whole.without(&paths)?.into(),
            depth,
        })
    }
}

/// The key under which the accepted depth of a module's queries is remembered.
fn depth_kind(module: &Module) -> String {
    format!("{}.depth", module.name)
}
