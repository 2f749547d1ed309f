//! The outcome of a rollback for each row: one query for both the plan and the rollback.

use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query, query_as};

use super::images::same_row;
use super::table::EntityTable;

/// Rows per statement.
const BATCH: usize = 1_000;

/// The outcome of a rollback for a batch of rows.
///
/// `$1` is the number of the rollback, `$2` the entity, `$3` ids, `$4` the target promotion, `$5` whether
/// edits by hand are discarded. Yields the row as `found`, its target image (`wish`, null if it is removed),
/// and the columns `kept` because a person edited them since the last image in the ledger. A null among them
/// means the whole row: a person added or removed it, or edited a row that would be removed.
///
/// A row that no promotion up to `$4` touched did not exist, unless it was added by hand before the ledger
/// first recorded it. Each lookup is lateral with a limit, so that it uses the index even with stale
/// statistics: the ledger grows by the rollback's own rows meanwhile. If this rollback already touched the
/// row, `found` is the image before that.
pub(super) fn targets(table: &EntityTable) -> String {
    let name = &table.name;
    let unedited = same_row("found", "known");
    format!(
        "select entity_id, found, wish, kept,
                case when wish is null then 'delete' when found is null then 'insert'
                     when found ->> 'deleted_at' is null and wish ->> 'deleted_at' is not null then 'tombstone'
                     else 'update' end as operation
         from (
             select entity_id, found, target,
                    case when fate = 'return' then target when fate = 'stay' then found
                         else target || overlay end as wish,
                    case when fate = 'return' or found is not distinct from target then '{{}}'
                         when fate = 'stay' then array[null]::text[]
                         else array(select key from jsonb_each(overlay) cell
                                    where value is distinct from coalesce(target -> key, 'null')) end as kept
             from (
                 select entity_id, found, target,
                        case when $5::boolean or same then 'return'
                             when found is null or known is null or target is null then 'stay'
                             else 'overlay' end as fate,
                        case when not same then
                            (select jsonb_object_agg(key, value) from jsonb_each(found) cell
                             where value is distinct from coalesce(known -> key, 'null')) end as overlay
                 from (
                     select entity_id, found, known, target,
                            known_hash is not distinct from found_hash
                            or (found is not null and known is not null and {unedited}) as same
                     from (
                         select s.*, sha256(convert_to(found::text, 'UTF8')) as found_hash,
                                (select image from history.objects where hash = known_hash) as known,
                                (select image from history.objects where hash = target_hash) as target
                         from (
                             select i.entity_id, known.after as known_hash,
                                    case when earlier.number is null then origin.after else earlier.after end as target_hash,
                                    case when own.number is null then standing.image
                                         else (select image from history.objects where hash = own.before) end as found
                             from unnest($3::text[]) i (entity_id)
                             left join lateral (
                                 select to_jsonb(t) as image from {name} t where t.id = i.entity_id limit 1) standing on true
                             left join lateral (
                                 select number, before from history.changes c
                                 where c.number = $1 and c.entity = $2 and c.entity_id = i.entity_id and c.part = 1
                                 limit 1) own on true
                             left join lateral (
                                 select after from history.changes c
                                 where c.entity = $2 and c.entity_id = i.entity_id and c.number < $1
                                 order by c.number desc, c.part desc limit 1) known on true
                             left join lateral (
                                 select number, after from history.changes c
                                 where c.entity = $2 and c.entity_id = i.entity_id and c.number <= $4
                                 order by c.number desc, c.part desc limit 1) earlier on true
                             left join lateral (
                                 select case when part = 0 and before is null then after end as after
                                 from history.changes c
                                 where c.entity = $2 and c.entity_id = i.entity_id
                                 order by c.number, c.part limit 1) origin on true
                             offset 0) s
                         where known_hash is distinct from target_hash
                            or known_hash is distinct from sha256(convert_to(found::text, 'UTF8'))
                         offset 0) hashed
                     offset 0) compared
                 offset 0) judged
             offset 0) wished"
    )
}

/// The rows that promotions after `n` (and before `below`) changed, in batches of one entity each.
///
/// A cursor sorts them once, so that memory holds only one batch; it ends with the transaction.
pub(super) struct Touched {
    waiting: Vec<(String, String)>,
}

impl Touched {
    /// Opens the cursor.
    pub(super) async fn open(conn: &mut PgConnection, n: i64, below: i64) -> sqlx::Result<Self> {
        let sql = format!(
            "declare touched_rows no scroll cursor for
             select distinct entity, entity_id from history.changes where number > {n} and number < {below}
             order by entity, entity_id"
        );
        query(AssertSqlSafe(sql)).execute(conn).await?;
        Ok(Self {
            waiting: Vec::new(),
        })
    }

    /// The next entity and ids; closes the cursor after the last batch.
    pub(super) async fn next(
        &mut self,
        conn: &mut PgConnection,
    ) -> sqlx::Result<Option<(String, Vec<String>)>> {
        if self.waiting.is_empty() {
            let sql = format!("fetch {BATCH} from touched_rows");
            self.waiting = query_as(AssertSqlSafe(sql)).fetch_all(&mut *conn).await?;
        }
        let Some((entity, _)) = self.waiting.first().cloned() else {
            query("close touched_rows").execute(conn).await?;
            return Ok(None);
        };
        let rest = self
            .waiting
            .iter()
            .position(|(other, _)| *other != entity)
            .unwrap_or(self.waiting.len());
        let ids = self.waiting.drain(..rest).map(|(_, id)| id).collect();
        Ok(Some((entity, ids)))
    }
}
