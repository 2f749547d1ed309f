//! The records of examined pages, and the verdict on each.

use std::collections::{HashMap, HashSet};

use fetcher::Page;

use crate::canonical::{Examined, examine};
use crate::page_tally::PageTally;

/// A page whose records have been examined, before a connection is needed.
pub struct ExaminedPage {
    /// The page.
    pub page: Page,
    pub(crate) examined: Vec<Examined>,
}

impl From<Page> for ExaminedPage {
    fn from(page: Page) -> Self {
        let examined = page.records.iter().map(|r| examine(&r.json)).collect();
        Self { page, examined }
    }
}

/// One record of a page, examined.
pub(crate) struct Version<'a> {
    pub(crate) page: &'a Page,
    pub(crate) id: &'a str,
    pub(crate) json: &'a [u8],
    pub(crate) examined: &'a Examined,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Changed,
    Unchanged,
    Superseded,
}

/// Whether an id is in both.
pub fn share_ids(some: &[ExaminedPage], others: &[ExaminedPage]) -> bool {
    let ids = |pages| -> HashSet<&str> { ids_of(pages).collect() };
    let some = ids(some);
    ids_of(others).any(|id| some.contains(id))
}

fn ids_of(pages: &[ExaminedPage]) -> impl Iterator<Item = &str> {
    let records = pages.iter().flat_map(|ready| &ready.page.records);
    records.map(|record| record.source_id.as_str())
}

pub(crate) fn ids<'a>(versions: &[&Version<'a>]) -> Vec<&'a str> {
    versions.iter().map(|v| v.id).collect()
}

pub(crate) fn versions_of(pages: &[ExaminedPage]) -> Vec<Version<'_>> {
    let mut versions: Vec<Version> =
        Vec::with_capacity(pages.iter().map(|p| p.examined.len()).sum());
    let mut last: HashMap<&str, usize> = HashMap::with_capacity(versions.capacity());
    for ExaminedPage { page, examined } in pages {
        for (record, examined) in page.records.iter().zip(examined) {
            let mut verdict = Verdict::New;
            match last.get(record.source_id.as_str()).copied() {
                Some(earlier) if versions[earlier].examined.hash == examined.hash => {
                    verdict = Verdict::Unchanged
                }
                earlier => {
                    if let Some(earlier) = earlier {
                        versions[earlier].verdict = Verdict::Superseded;
                    }
                    last.insert(&record.source_id, versions.len());
                }
            }
            versions.push(Version {
                page,
                id: &record.source_id,
                json: &record.json,
                examined,
                verdict,
            });
        }
    }
    versions
}

/// In the order of their ids, so that neighbours in an index are written together.
pub(crate) fn with_verdict<'a, 'b>(
    versions: &'b [Version<'a>],
    verdict: Verdict,
) -> Vec<&'b Version<'a>> {
    let mut found: Vec<&Version> = versions.iter().filter(|v| v.verdict == verdict).collect();
    found.sort_unstable_by_key(|v| v.id);
    found
}

pub(crate) fn count(versions: &[Version<'_>]) -> PageTally {
    let of = |verdict| versions.iter().filter(|v| v.verdict == verdict).count() as i32;
    PageTally {
        fetched: versions.len() as i32,
        new: of(Verdict::New),
        changed: of(Verdict::Changed),
        unchanged: of(Verdict::Unchanged),
        superseded: of(Verdict::Superseded),
    }
}
