//! The chain of promotions: only this file locks its head, numbers promotions and moves the head.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use staging::database::{query, query_as};

/// The kind of a promotion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionKind {
    /// A run updated production from its source.
    Sync,
    /// A person rolled production back to an earlier promotion.
    Rollback,
    /// A changed contract changed the tables.
    Evolve,
    /// A person removed a record from its entity.
    Unmerge,
    /// A table was rebuilt from claims and overrides.
    Rebuild,
    /// A person released an override.
    Release,
}

impl PromotionKind {
    /// Parses the name in the database.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [
            Self::Sync,
            Self::Rollback,
            Self::Evolve,
            Self::Unmerge,
            Self::Rebuild,
            Self::Release,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }

    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Rollback => "rollback",
            Self::Evolve => "evolve",
            Self::Unmerge => "unmerge",
            Self::Rebuild => "rebuild",
            Self::Release => "release",
        }
    }
}

/// Who promotes, and why.
#[derive(Debug, Clone)]
pub struct Promotion {
    /// The kind.
    pub kind: PromotionKind,
    /// The module, for a sync.
    pub module: Option<String>,
    /// The run, if one promotes.
    pub run_id: Option<i64>,
    /// The promotion that a rollback returns to.
    pub target: Option<i64>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// The locked head of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of the promotion that locked it.
    pub number: i64,
    /// The hash of the previous promotion.
    pub prev_hash: Vec<u8>,
    /// The state hash of the previous promotion.
    pub state_hash: Vec<u8>,
}

/// A finished promotion; it takes effect when the caller commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Its number.
    pub number: i64,
    /// How many rows it changed, without the edits by hand that it found.
    pub changes: i64,
    /// Its hash in the chain.
    pub hash: Vec<u8>,
    /// The set hash of all rows in the ledger.
    pub state_hash: Vec<u8>,
}

/// Locks the head and returns the next number. Other promotions wait until the transaction ends.
///
/// The session uses UTC for the rest of the transaction.
pub async fn open(conn: &mut PgConnection) -> sqlx::Result<Head> {
    write_as_engine(conn).await?;
    let (number, prev_hash, state_hash) = query_as::<(i64, Vec<u8>, Vec<u8>)>(
        "select number, hash, state_hash from history.head for update",
    )
    .fetch_one(conn)
    .await?;
    Ok(Head {
        number: number + 1,
        prev_hash,
        state_hash,
    })
}

/// Marks the session as the engine for the rest of the transaction: the triggers of production tables record
/// the old rows of any other writer. It also sets UTC, so that an image has one spelling.
pub(crate) async fn write_as_engine(conn: &mut PgConnection) -> sqlx::Result<()> {
    settle(conn).await?;
    query("select set_config('concord.writer', 'engine', true)")
        .execute(conn)
        .await
        .map(drop)
}

/// Sets UTC for the rest of the transaction, so that an image has one spelling, and turns JIT off: the
/// planner overestimates the cost of the ledger's wide statements.
pub(super) async fn settle(conn: &mut PgConnection) -> sqlx::Result<()> {
    query("select set_config('timezone', 'UTC', true), set_config('jit', 'off', true)")
        .execute(conn)
        .await
        .map(drop)
}

/// Hashes the changes of promotion `number`, adds it to the chain and moves the head.
///
/// Fails with [`sqlx::Error::RowNotFound`] when `number` is not the one that [`open`] gave.
pub async fn seal(
    conn: &mut PgConnection,
    number: i64,
    promotion: &Promotion,
) -> sqlx::Result<Sealed> {
    let (prev_hash, prev_state) = query_as::<(Vec<u8>, Vec<u8>)>(
        "select hash, state_hash from history.head where number = $1 - 1",
    )
    .bind(number)
    .fetch_one(&mut *conn)
    .await?;
    let sums = Sums::of(conn, number).await?;
    let changes_hash = sums.changes.to_bytes();
    let state_hash = Lanes::from_bytes(&prev_state).plus(sums.state).to_bytes();
    let hash = link(&prev_hash, number, promotion, &changes_hash, &state_hash);
    query(
        "insert into history.promotions (number, kind, module, run_id, target, actor, reason, changes,
                                         changes_hash, state_hash, prev_hash, hash, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock_timestamp())",
    )
    .bind(number)
    .bind(promotion.kind.as_str())
    .bind(&promotion.module)
    .bind(promotion.run_id)
    .bind(promotion.target)
    .bind(&promotion.actor)
    .bind(&promotion.reason)
    .bind(sums.rows)
    .bind(&changes_hash)
    .bind(&state_hash)
    .bind(&prev_hash)
    .bind(&hash)
    .execute(&mut *conn)
    .await?;
    query("update history.head set number = $1, hash = $2, state_hash = $3")
        .bind(number)
        .bind(&hash)
        .bind(&state_hash)
        .execute(conn)
        .await?;
    Ok(Sealed {
        number,
        changes: sums.rows,
        hash,
        state_hash,
    })
}

/// The hash that links a promotion to the previous one.
pub(super) fn link(
    prev_hash: &[u8],
    number: i64,
    promotion: &Promotion,
    changes_hash: &[u8],
    state_hash: &[u8],
) -> Vec<u8> {
    let words = format!(
        "{number}\n{}\n{}\n{}\n{}\n{}",
        promotion.kind.as_str(),
        promotion.module.as_deref().unwrap_or_default(),
        promotion
            .target
            .map(|target| target.to_string())
            .unwrap_or_default(),
        promotion.actor,
        promotion.reason,
    );
    Sha256::new()
        .chain_update(prev_hash)
        .chain_update(words)
        .chain_update(changes_hash)
        .chain_update(state_hash)
        .finalize()
        .to_vec()
}

/// Four 64-bit lanes, added modulo 2^64.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lanes([u64; 4]);

impl Lanes {
    /// Parses the sums of signed lanes as PostgreSQL prints them.
    pub(super) fn from_sums(sums: &[String]) -> sqlx::Result<Self> {
        let mut lanes = [0; 4];
        for (lane, sum) in lanes.iter_mut().zip(sums) {
            let sum: i128 = sum
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            *lane = sum as u64; // Two's complement: the sum modulo 2^64.
        }
        Ok(Self(lanes))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let mut lanes = [0; 4];
        for (lane, chunk) in lanes.iter_mut().zip(bytes.chunks(8)) {
            *lane = chunk
                .iter()
                .fold(0, |lane, byte| lane << 8 | u64::from(*byte));
        }
        Self(lanes)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self(std::array::from_fn(|lane| {
            self.0[lane].wrapping_add(other.0[lane])
        }))
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_be_bytes()).collect()
    }
}

/// The totals of one promotion's changes.
pub(super) struct Sums {
    /// Rows it changed, without edits by hand.
    pub(super) rows: i64,
    /// The amount it adds to the state hash.
    pub(super) state: Lanes,
    /// The set hash of the changes themselves.
    pub(super) changes: Lanes,
}

impl Sums {
    /// Adds up the changes of promotion `number`.
    pub(super) async fn of(conn: &mut PgConnection, number: i64) -> sqlx::Result<Self> {
        let (rows, state, changes) = query_as::<(i64, Vec<String>, Vec<String>)>(
            "with elements as materialized (
                 select part,
                        history.element(entity, before) as gone,
                        history.element(entity, after) as come,
                        sha256(convert_to(entity || chr(10) || entity_id || chr(10) || part || operation, 'UTF8')
                               || coalesce(before, '') || coalesce(after, '')) as change
                 from history.changes where number = $1),
             sums as (
                 select lane,
                        count(*) filter (where part = 1) as rows,
                        coalesce(sum(history.lane(come, lane)), 0) - coalesce(sum(history.lane(gone, lane)), 0) as state,
                        coalesce(sum(history.lane(change, lane)), 0) as change
                 from generate_series(0, 3) lane left join elements on true
                 group by lane)
             select max(rows), array_agg(state::text order by lane), array_agg(change::text order by lane) from sums",
        )
        .bind(number)
        .fetch_one(conn)
        .await?;
        Ok(Self {
            rows,
            state: Lanes::from_sums(&state)?,
            changes: Lanes::from_sums(&changes)?,
        })
    }
}
