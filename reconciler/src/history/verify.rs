//! Verifies the hashes of the history, and compares production with its last images.

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection};
use staging::database::{query_as, query_scalar};

use super::chain::{Lanes, Promotion, PromotionKind, Sums, link, settle};
use super::images::same_row;
use super::table::EntityTable;

/// The maximum number of faults of one kind that are listed.
const LISTED: i64 = 100;

/// The result of a verification.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Promotions checked.
    pub promotions: i64,
    /// The faults found; empty if nobody tampered with the history.
    pub broken: Vec<Broken>,
    /// The state hash of the last images in the ledger, in hexadecimal.
    pub state_hash_of_ledger: String,
    /// The state hash of production now; it is the same unless people edited rows.
    pub state_hash_of_production: String,
    /// Rows that people edited, added or removed since their last image in the ledger. That is allowed.
    pub edited_by_hand: Vec<EditedByHand>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The place: a promotion, an object, the head.
    pub place: String,
    /// The fault, as a sentence.
    pub why: String,
}

/// The number of edits by hand in one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EditedByHand {
    /// The entity.
    pub entity: String,
    /// Rows.
    pub rows: i64,
}

/// Recomputes every hash of the history and compares its last images with production.
pub async fn verify(conn: &mut PgConnection) -> sqlx::Result<Verification> {
    settle(conn).await?;
    let mut broken = Vec::new();
    let promotions = check_chain(conn, &mut broken).await?;
    check_objects(conn, &mut broken).await?;
    let (ledger, production, edited_by_hand) = compare_production(conn, &mut broken).await?;
    let head: Vec<u8> = query_scalar("select state_hash from history.head")
        .fetch_one(conn)
        .await?;
    if head != ledger.to_bytes() {
        broken.push(fault(
            "head".to_owned(),
            "its state hash is not that of the last images in the ledger",
        ));
    }
    Ok(Verification {
        promotions,
        broken,
        state_hash_of_ledger: hex::encode(ledger.to_bytes()),
        state_hash_of_production: hex::encode(production.to_bytes()),
        edited_by_hand,
    })
}

fn fault(place: String, why: &str) -> Broken {
    Broken {
        place,
        why: why.to_owned(),
    }
}

#[derive(sqlx::FromRow)]
struct Link {
    number: i64,
    kind: String,
    module: Option<String>,
    target: Option<i64>,
    actor: String,
    reason: String,
    changes: i64,
    changes_hash: Vec<u8>,
    state_hash: Vec<u8>,
    prev_hash: Vec<u8>,
    hash: Vec<u8>,
}

/// Walks the chain from its beginning, in constant memory.
async fn check_chain(conn: &mut PgConnection, broken: &mut Vec<Broken>) -> sqlx::Result<i64> {
    let (mut number, mut hash, mut state) = (0, vec![0; 32], Lanes::default());
    loop {
        let links: Vec<Link> = query_as(
            "select number, kind, module, target, actor, reason, changes, changes_hash, state_hash, prev_hash, hash
             from history.promotions where number > $1 order by number limit 500",
        )
        .bind(number)
        .fetch_all(&mut *conn)
        .await?;
        if links.is_empty() {
            break;
        }
        for found in links {
            let sums = Sums::of(conn, found.number).await?;
            state = state.plus(sums.state);
            for why in faults(&found, number, &hash, &sums, state) {
                broken.push(fault(format!("promotion {}", found.number), why));
            }
            // The next links are checked against the stored hashes, so that one fault is reported once.
            (number, hash, state) = (
                found.number,
                found.hash,
                Lanes::from_bytes(&found.state_hash),
            );
        }
    }
    let head: (i64, Vec<u8>) = query_as("select number, hash from history.head")
        .fetch_one(&mut *conn)
        .await?;
    if head != (number, hash) {
        broken.push(fault("head".to_owned(), "it is not the last promotion"));
    }
    let strays: Vec<i64> = query_scalar(
        "select distinct number from history.changes c
         where not exists (select from history.promotions p where p.number = c.number) order by 1 limit $1",
    )
    .bind(LISTED)
    .fetch_all(&mut *conn)
    .await?;
    broken.extend(
        strays
            .iter()
            .map(|n| fault(format!("promotion {n}"), "it has changes and is not there")),
    );
    query_scalar("select count(*) from history.promotions")
        .fetch_one(conn)
        .await
}

/// The fault of one link after the promotion `last` with `hash`.
fn faults(found: &Link, last: i64, hash: &[u8], sums: &Sums, state: Lanes) -> Vec<&'static str> {
    let mut faults = Vec::new();
    let mut expect = |right: bool, why| {
        if !right {
            faults.push(why);
        }
    };
    expect(found.number == last + 1, "a promotion before it is missing");
    expect(
        found.prev_hash == hash,
        "it does not follow the promotion before it",
    );
    expect(
        found.changes == sums.rows,
        "its number of changes is not what it says",
    );
    expect(
        found.changes_hash == sums.changes.to_bytes(),
        "its changes are not those it was sealed with",
    );
    expect(
        found.state_hash == state.to_bytes(),
        "its state hash does not follow from its changes",
    );
    let sealed = PromotionKind::parse(&found.kind).map(|kind| Promotion {
        kind,
        module: found.module.clone(),
        run_id: None,
        target: found.target,
        actor: found.actor.clone(),
        reason: found.reason.clone(),
    });
    let linked = sealed.map(|p| {
        link(
            &found.prev_hash,
            found.number,
            &p,
            &found.changes_hash,
            &found.state_hash,
        )
    });
    expect(
        linked.as_ref() == Some(&found.hash),
        "who, why or a hash was altered after it was sealed",
    );
    faults
}

async fn check_objects(conn: &mut PgConnection, broken: &mut Vec<Broken>) -> sqlx::Result<()> {
    let altered: Vec<String> = query_scalar(
        "select encode(hash, 'hex') from history.objects
         where hash <> sha256(convert_to(image::text, 'UTF8')) order by 1 limit $1",
    )
    .bind(LISTED)
    .fetch_all(&mut *conn)
    .await?;
    broken.extend(altered.iter().map(|hash| {
        fault(
            format!("object {hash}"),
            "the image is not the one it is named for",
        )
    }));
    let missing: Vec<String> = query_scalar(
        "select distinct encode(hash, 'hex')
         from (select before as hash from history.changes union select after from history.changes) named
         where hash is not null and not exists (select from history.objects o where o.hash = named.hash)
         order by 1 limit $1",
    )
    .bind(LISTED)
    .fetch_all(conn)
    .await?;
    broken.extend(missing.iter().map(|hash| {
        fault(
            format!("object {hash}"),
            "changes name it and it is not there",
        )
    }));
    Ok(())
}

/// The state hashes of ledger and production, and the rows in which they differ, entity by entity.
async fn compare_production(
    conn: &mut PgConnection,
    broken: &mut Vec<Broken>,
) -> sqlx::Result<(Lanes, Lanes, Vec<EditedByHand>)> {
    let (mut ledger, mut production, mut edited) = (Lanes::default(), Lanes::default(), Vec::new());
    let entities: Vec<(String, bool)> = query_as(
        "select entity, to_regclass(format('prod.%I', entity)) is not null
         from (select distinct entity from history.changes) known order by 1",
    )
    .fetch_all(&mut *conn)
    .await?;
    for (entity, stands) in entities {
        if !stands {
            broken.push(fault(
                format!("entity {entity}"),
                "its production table is gone",
            ));
        }
        let table = if stands {
            Some(EntityTable::read(conn, &entity).await?)
        } else {
            None
        };
        let (rows, known, found) = compare_entity(conn, &entity, table.as_ref()).await?;
        ledger = ledger.plus(known);
        production = production.plus(found);
        if rows > 0 {
            edited.push(EditedByHand { entity, rows });
        }
    }
    Ok((ledger, production, edited))
}

async fn compare_entity(
    conn: &mut PgConnection,
    entity: &str,
    table: Option<&EntityTable>,
) -> sqlx::Result<(i64, Lanes, Lanes)> {
    let found = match table {
        Some(table) => format!(
            "select t.id, to_jsonb(t) as image from {} t offset 0",
            table.name
        ),
        None => "select null::text as id, null::jsonb as image where false".to_owned(),
    };
    let sql = format!(
        "with last as (
             select distinct on (entity_id) entity_id, after as hash from history.changes
             where entity = $1 order by entity_id, number desc, part desc),
         found as (select id, image, sha256(convert_to(image::text, 'UTF8')) as hash from ({found}) f),
         compared as materialized (
             select l.hash as known,
                    case when l.hash <> f.hash and {same} then l.hash else f.hash end as found
             from (select * from last where hash is not null) l
             full join found f on f.id = l.entity_id
             left join history.objects o on o.hash = l.hash and l.hash <> f.hash)
         select max(rows), array_agg(known::text order by lane), array_agg(found::text order by lane)
         from (select lane, count(*) filter (where known is distinct from found) as rows,
                      coalesce(sum(history.lane(history.element($1, known), lane)), 0) as known,
                      coalesce(sum(history.lane(history.element($1, found), lane)), 0) as found
               from generate_series(0, 3) lane left join compared on true group by lane) sums",
        same = same_row("f.image", "o.image"),
    );
    let (rows, known, found) = query_as::<(i64, Vec<String>, Vec<String>)>(AssertSqlSafe(sql))
        .bind(entity)
        .fetch_one(conn)
        .await?;
    Ok((rows, Lanes::from_sums(&known)?, Lanes::from_sums(&found)?))
}
