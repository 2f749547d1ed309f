//! What is asked where a source refuses a question for what it asks: smaller pages, and queries that go less
//! deep. What it took is remembered for it.

use super::position::Position;
use super::split::Split;
use super::stream::Reader;
use crate::failure::FetchError;

impl Reader {
    /// The page size to begin with: the selection's, else the module's, but no more than the source took
    /// lately.
    pub(super) fn first_size(&self, position: &Position) -> u32 {
        let paging = &self.module.fetch.paging;
        let wanted = self.selection.page_size.unwrap_or(paging.size);
        let taken = self.source.page_size(&self.module.name);
        let size = taken.map_or(wanted, |taken| taken.min(wanted)).max(1);
        match position.among(paging, size) {
            Some(same) if same == *position => size,
            _ => paging.size,
        }
    }

    /// Half the page size and the same place among such pages, or the failure where there is none.
    pub(super) fn smaller(
        &self,
        position: &Position,
        size: u32,
        failure: FetchError,
    ) -> Result<(Position, u32), FetchError> {
        let paging = &self.module.fetch.paging;
        let half = size / 2;
        let place = match half > 0 && paging.size_variable.is_some() {
            true => position.among(paging, half),
            false => None,
        };
        let Some(place) = place else {
            return Err(failure);
        };
        tracing::warn!(module = %self.module.name, page_size = half, reason = %failure,
            "the source refuses pages of this size; smaller ones are asked for");
        Ok((place, half))
    }

    /// What the kind of this module's queries is called where it is remembered how deep they may be.
    fn depth_kind(&self) -> String {
        format!("{}.depth", self.module.name)
    }

    /// The queries to begin with: as the source took them lately.
    pub(super) fn first_split(&self) -> Split {
        let depth = self.source.page_size(&self.depth_kind());
        depth
            .and_then(|depth| Split::of(&self.module, depth))
            .unwrap_or_else(|| Split::none(&self.module))
    }

    /// The queries with one nested connection less, or the failure where there is none that can be left out.
    pub(super) fn less_deep(
        &self,
        split: &Split,
        failure: FetchError,
    ) -> Result<Split, FetchError> {
        let Some(split) = Split::of(&self.module, split.depth + 1) else {
            return Err(failure);
        };
        tracing::warn!(module = %self.module.name, asked_alone = split.depth, reason = %failure,
            "the source refuses a query of this depth; its deepest nested connections are asked for by themselves");
        self.source
            .remember_page_size(&self.depth_kind(), split.depth);
        Ok(split)
    }

    /// A size the source took after refusing a larger one is where the next run begins.
    pub(super) fn remember(&self, size: u32) {
        let name = &self.module.name;
        let wanted = self.module.fetch.paging.size;
        let other = self.selection.page_size.unwrap_or(wanted);
        if size < wanted.min(other) && self.source.page_size(name) != Some(size) {
            self.source.remember_page_size(name, size);
        }
    }
}
