//! Entities as they stand: their rows, claims and overrides.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::change_set::ChangeSet;
use super::context::Ctx;
use crate::identities::{self, Claim, Identity};
use crate::image::{Image, read_rows};
use crate::overrides::{self, Authors, Override, OverrideChange, edits};
use crate::resolve::Claimed;

/// What stands of a set of entities.
pub(crate) struct Standing {
    pub(crate) rows: HashMap<String, Image>,
    identities: HashMap<String, Vec<Identity>>,
    overrides: HashMap<String, Vec<Override>>,
    authors: Authors,
}

/// One entity as it stands.
pub(crate) struct Entity {
    pub(crate) id: String,
    pub(crate) row: Option<Image>,
    pub(crate) identities: Vec<Identity>,
    pub(crate) overrides: Vec<Override>,
}

impl Standing {
    /// Reads the rows of a table, their claims and their overrides.
    pub(crate) async fn read(
        conn: &mut PgConnection,
        entity: &str,
        ids: &[&str],
        lock: bool,
    ) -> sqlx::Result<Self> {
        Ok(Self {
            rows: read_rows(conn, entity, ids, lock).await?,
            identities: identities::by_entity(conn, entity, ids).await?,
            overrides: overrides::by_entity(conn, entity, ids).await?,
            authors: Authors::of(conn, entity, ids).await?,
        })
    }

    /// Takes one entity out as it stands.
    pub(crate) fn take_as_is(&mut self, id: &str) -> Entity {
        Entity {
            id: id.to_owned(),
            row: self.rows.remove(id),
            identities: self.identities.remove(id).unwrap_or_default(),
            overrides: self.overrides.remove(id).unwrap_or_default(),
        }
    }

    /// Takes one entity out, its edits by hand taken up as overrides.
    pub(crate) fn take(&mut self, ctx: &Ctx<'_>, id: &str, set: &mut ChangeSet) -> Entity {
        let mut entity = self.take_as_is(id);
        if entity.row.is_none() && entity.identities.is_empty() {
            return entity;
        }
        let claimed = Claimed::of(ctx.table, &entity.claims());
        let found = entity.row.as_ref().map(|row| &row.0);
        let edited = edits(
            ctx.table,
            id,
            &claimed,
            &mut entity.overrides,
            found,
            &self.authors,
            ctx.replays,
        );
        if !edited.is_empty() {
            let table = ctx.table.entity.to_owned();
            let changes = edited.into_iter().map(|edit| OverrideChange {
                entity: table.clone(),
                entity_id: id.to_owned(),
                set: edit,
                is_new: true,
            });
            set.overrides.extend(changes);
        }
        if self.authors.saw(id) {
            set.edited
                .push((ctx.table.entity.to_owned(), id.to_owned()));
        }
        entity
    }
}

impl Entity {
    /// What its records claim.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        self.identities
            .iter()
            .filter_map(Identity::to_claim)
            .collect()
    }

    /// The identity of a record of the module.
    pub(crate) fn identity(&self, ctx: &Ctx<'_>, source_id: &str) -> Option<&Identity> {
        self.identities.iter().find(|identity| {
            identity.source_id == source_id
                && identity.module == ctx.definition.name()
                && identity.source == ctx.definition.module.source
        })
    }
}
