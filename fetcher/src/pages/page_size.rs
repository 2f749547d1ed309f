//! The page size that a source accepts: halved when it refuses a page as too large, and remembered.

use super::position::Position;
use super::stream::Reader;
use crate::failure::error::FetchError;

impl Reader {
    /// The initial page size: the selection's or the module's, but no more than the source accepted lately.
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

    /// Half the page size and the same position among such pages, or the failure if there is none.
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

    /// Remembers a size that the source accepted after refusing a larger one, for the next run.
    pub(super) fn remember(&self, size: u32) {
        let name = &self.module.name;
        let wanted = self.module.fetch.paging.size;
        let other = self.selection.page_size.unwrap_or(wanted);
        if size < wanted.min(other) && self.source.page_size(name) != Some(size) {
            self.source.remember_page_size(name, size);
        }
    }
}
