//! What is asked of a source that finds a query too deep: the query without its deepest nested connections,
//! and those by their own queries, from their beginning.

use std::sync::Arc;

use crate::modules::{Module, Nested};
use crate::schema::QueryDocument;

/// The queries of a module, without so many of its nested connections, the deepest first.
#[derive(Debug)]
pub(super) struct Split {
    /// The module's own.
    pub query: Arc<str>,
    /// Those of its nested connections, in the order in which it declares them.
    pub nested: Vec<SplitNested>,
    /// How many are asked for by themselves.
    pub depth: u32,
}

/// The query of one nested connection.
#[derive(Debug)]
pub(super) struct SplitNested {
    /// The query of its further pages, or of all of them.
    pub query: Arc<str>,
    /// Whether it is asked for from its beginning.
    pub alone: bool,
}

impl Split {
    /// Every query as the module has it.
    pub(super) fn none(module: &Module) -> Self {
        let nested = module.fetch.nested.iter().map(|nested| SplitNested {
            query: nested.query.clone(),
            alone: false,
        });
        Self {
            query: module.query.clone(),
            nested: nested.collect(),
            depth: 0,
        }
    }

    /// Without so many nested connections; `None` where there are not so many, or one cannot do without. What
    /// its own query does not select just the same stays where it is, or the record would be another one.
    pub(super) fn of(module: &Module, depth: u32) -> Option<Self> {
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
            Some(SplitNested { query, alone })
        });
        Some(Self {
            nested: queries.collect::<Option<_>>()?,
            query: whole.without(&paths)?.into(),
            depth,
        })
    }
}
