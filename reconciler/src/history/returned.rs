//! What rollbacks wrote, so that it is not taken for an edit by hand.

use std::collections::HashMap;

use sqlx::PgConnection;
use sqlx::types::Json;
use staging::database::query_as;

use super::cells::Image;

/// These rows as the last rollback that touched each of them left them.
pub(crate) async fn returned(
    conn: &mut PgConnection,
    entity: &str,
    ids: &[&str],
) -> sqlx::Result<HashMap<String, Image>> {
    let rows: Vec<(String, Json<Image>)> = query_as(
        "select r.id, o.image from unnest($2::text[]) r (id)
         cross join lateral (
             select c.after from history.changes c join history.promotions p on p.number = c.number
             where c.entity_id = r.id and c.entity = $1 and c.part = 1 and p.kind = 'rollback'
             order by c.number desc limit 1) c
         join history.objects o on o.hash = c.after
         where exists (select from history.promotions where kind = 'rollback')",
    )
    .bind(entity)
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, image)| (id, image.0)).collect())
}
