//! Decides by score between the entities that share a blocking key with a record.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use matching::batch::Scored;
use matching::decide::{Links, Reason, Surroundings, decide};
use matching::explain::explain;
use matching::model::Scorer;
use matching::profile::Profile;
use matching::spec::DecideSpec;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;

use super::Scoring;
use super::blocking_keys::{neighbours, neighbours_of, taken};
use crate::definition::Definition;
use crate::parallel_map::parallel_map;

/// A match within a group is a contradiction if more than this many bits speak against it.
const CONTRADICTION: f32 = 4.0;

/// The maximum number of candidates shown to a person.
const SHOWN: usize = 5;

/// A record without an identity that no exact key decides.
pub(crate) struct Asking<'a> {
    pub(crate) source_id: &'a str,
    pub(crate) profile: Profile,
    /// The entities that people rejected for it.
    pub(crate) refused: &'a [String],
}

/// A candidate entity of a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likely {
    /// The entity.
    pub entity_id: String,
    /// The score: the logarithm of the odds for a match.
    pub score: f64,
    /// Why it needs a review: the score itself, another entity with nearly the same score, or a
    /// contradiction.
    pub reason: Option<Reason>,
    /// The levels with their weights, the runner-up and the margin, the model's version.
    pub evidence: Value,
}

/// The decision by score for a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Verdict {
    /// The record matches this entity.
    Match(Likely),
    /// The record matches no existing entity.
    NoMatch,
    /// A person must choose one of these, best first.
    Review {
        /// The entities.
        candidates: Vec<Likely>,
    },
    /// Deferred: another record of the batch is a better match; this one is decided after that one is
    /// promoted.
    Later,
}

/// A record with its candidate entities.
struct Star {
    names: Vec<String>,
    profiles: Vec<Profile>,
    /// Entity, its number in the batch, score, and the bits against it within a group; only allowed entities.
    rays: Vec<(String, u32, f32, f32)>,
}

/// Decides records together. The outcome depends on the set of records, not on their order.
pub(crate) async fn judge(
    conn: &mut PgConnection,
    definition: &Definition,
    scoring: &Scoring,
    asking: &[Asking<'_>],
) -> sqlx::Result<Vec<Verdict>> {
    let blocks = parallel_map(asking, |asked| scoring.blocks_of(&asked.profile));
    let shared = neighbours_of(conn, definition.entity(), &blocks).await?;
    let taken = match scoring.within_source {
        true => BTreeSet::new(),
        false => taken(conn, definition, &different(&shared, |_| true)).await?,
    };
    // On the first load of a source nothing is left: all candidates are records of the same source.
    let is_open = |record: usize| {
        let refused = asking[record].refused;
        let mut ids = shared[record].0.iter();
        ids.any(|id| !taken.contains(id) && !refused.contains(id))
    };
    let standing = different(&shared, is_open);
    let standing = neighbours(conn, definition, scoring, &standing).await?;
    let standing: Vec<_> = standing.into_iter().collect();
    let looks = parallel_map(&standing, |(_, row)| {
        scoring.profile(|column| row.get(column))
    });
    let standing: BTreeMap<&str, Profile> = standing
        .iter()
        .map(|(id, _)| id.as_str())
        .zip(looks)
        .collect();
    let numbered: Vec<usize> = (0..asking.len()).collect();
    let stars = parallel_map(&numbered, |record| {
        is_open(*record).then(|| {
            let (asked, (ids, _)) = (&asking[*record], &shared[*record]);
            star(scoring, asked, ids, &standing, &taken)
        })
    });
    Ok(verdicts(scoring, asking, &stars))
}

/// The distinct entities that share keys with the records whose number meets a condition.
fn different(shared: &[(Vec<String>, usize)], holds: impl Fn(usize) -> bool) -> Vec<&str> {
    let records = shared
        .iter()
        .enumerate()
        .filter(|(record, _)| holds(*record));
    let ids: BTreeSet<&str> = records
        .flat_map(|(_, (ids, _))| ids)
        .map(String::as_str)
        .collect();
    ids.into_iter().collect()
}

fn star(
    scoring: &Scoring,
    asked: &Asking<'_>,
    ids: &[String],
    standing: &BTreeMap<&str, Profile>,
    taken: &BTreeSet<String>,
) -> Star {
    let is_allowed = |id: &str| !taken.contains(id) && !asked.refused.iter().any(|no| no == id);
    let mut names = vec![asked.source_id];
    let mut profiles = vec![asked.profile.clone()];
    for id in ids {
        if let Some(profile) = standing.get(id.as_str()) {
            names.push(id);
            profiles.push(profile.clone());
        }
    }
    let batch = scoring.batch(&profiles, &names, false);
    let scorer = Scorer::new(
        &scoring.model,
        &batch.comparisons,
        &batch.layout,
        &batch.base,
    );
    let rays = (1_u32..).zip(&names[1..]).filter_map(|(number, id)| {
        let reached = batch
            .comparisons
            .reach(&batch.base, &batch.facts, 0, number);
        let score = scorer.sum(&reached).score();
        let counts = is_allowed(id) && score >= scoring.model.thresholds.review;
        counts.then(|| ((*id).to_owned(), number, score, scorer.apart(&reached)))
    });
    let rays = rays.collect();
    Star {
        names: names.into_iter().map(str::to_owned).collect(),
        profiles,
        rays,
    }
}

fn verdicts(scoring: &Scoring, asking: &[Asking<'_>], stars: &[Option<Star>]) -> Vec<Verdict> {
    // If a source has no duplicates, an entity goes to one record of the batch, its best match.
    let mut groups: Vec<Vec<usize>> = vec![(0..asking.len()).collect()];
    if scoring.within_source {
        groups = (0..asking.len()).map(|record| vec![record]).collect();
    }
    let mut verdicts = vec![Verdict::NoMatch; asking.len()];
    for mut group in groups {
        group.retain(|record| {
            stars[*record]
                .as_ref()
                .is_some_and(|star| !star.rays.is_empty())
        });
        group.sort_unstable_by_key(|record| asking[*record].source_id);
        decide_group(scoring, stars, &group, &mut verdicts);
    }
    verdicts
}

/// Decides over the records of a group and all their candidates; each entity goes to at most one of them.
fn decide_group(
    scoring: &Scoring,
    stars: &[Option<Star>],
    group: &[usize],
    verdicts: &mut [Verdict],
) {
    let of = |record: usize| stars[record].iter().flat_map(|star| &star.rays);
    let entities: BTreeSet<&str> = group
        .iter()
        .flat_map(|record| of(*record))
        .map(|(id, ..)| id.as_str())
        .collect();
    let entities: Vec<&str> = entities.into_iter().collect();
    let place = |id: &str| entities.partition_point(|entity| *entity < id);
    let mut scored = Vec::new();
    let mut apart = HashMap::new();
    for (one, record) in group.iter().enumerate() {
        for (id, _, score, against) in of(*record) {
            let (one, other) = (one as u32, (group.len() + place(id)) as u32);
            scored.push(Scored {
                one,
                other,
                score: *score,
                keys: 0,
            });
            apart.insert((one, other), *against);
        }
    }
    let contradict = |one: u32, other: u32| {
        let pair = (one.min(other), one.max(other));
        apart
            .get(&pair)
            .is_some_and(|against| *against >= CONTRADICTION)
    };
    let around = Surroundings {
        records: (group.len() + entities.len()) as u32,
        sources: &[],
        contradict: &contradict,
    };
    let spec = DecideSpec {
        one_to_one: true,
        ..scoring.model.spec.decide.clone()
    };
    let thresholds = scoring.model.thresholds;
    let decisions = decide(&spec, thresholds, &scored, &Links::default(), &around);
    let likely = |pair: &Scored, reason: Option<Reason>| {
        let record = group[pair.one as usize];
        let id = entities[pair.other as usize - group.len()];
        likely(scoring, stars[record].as_ref()?, id, reason)
    };
    for pair in &decisions.matches {
        if let Some(likely) = likely(pair, None) {
            verdicts[group[pair.one as usize]] = Verdict::Match(likely);
        }
    }
    for review in &decisions.reviews {
        let verdict = &mut verdicts[group[review.pair.one as usize]];
        if review.reason == Reason::Source && !matches!(verdict, Verdict::Match(_)) {
            *verdict = Verdict::Later;
        }
        let Some(likely) = likely(&review.pair, Some(review.reason)) else {
            continue;
        };
        match verdict {
            Verdict::Match(_) | Verdict::Later => {}
            Verdict::Review { candidates } if candidates.len() < SHOWN => candidates.push(likely),
            Verdict::Review { .. } => {}
            Verdict::NoMatch => {
                *verdict = Verdict::Review {
                    candidates: vec![likely],
                };
            }
        }
    }
}

fn likely(scoring: &Scoring, star: &Star, id: &str, reason: Option<Reason>) -> Option<Likely> {
    let (_, number, score, _) = star.rays.iter().find(|(entity, ..)| entity == id)?;
    Some(Likely {
        entity_id: id.to_owned(),
        score: f64::from(*score),
        reason,
        evidence: evidence(scoring, star, *number),
    })
}

/// The stored explanation (waterfall) of the first record of a batch and another.
fn evidence(scoring: &Scoring, star: &Star, other: u32) -> Value {
    let names: Vec<&str> = star.names.iter().map(String::as_str).collect();
    let batch = scoring.batch(&star.profiles, &names, true);
    let mut explanation = explain(&batch, &scoring.model, 0, other);
    explanation.model.clone_from(&scoring.version);
    serde_json::to_value(explanation).unwrap_or_default()
}
