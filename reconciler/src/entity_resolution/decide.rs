//! Decides between the entities that share an exact key with a record.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::definition::KeySpec;

/// An entity that has one of the record's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The label of the shared key.
    pub label: String,
    /// The entity.
    pub entity_id: String,
    /// Whether the entity already has a living record of the same module.
    pub same_module: bool,
    /// The values of the key's `distinct` column in the entity's records.
    pub taken: Vec<String>,
}

/// The decision for a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// The one entity that shares these keys.
    Match {
        /// The entity.
        entity_id: String,
        /// The labels of the keys.
        keys: Vec<String>,
    },
    /// No entity shares a key.
    NoMatch,
    /// Several entities share a key; a person must decide.
    Review {
        /// The entities, in order of their ids.
        entities: Vec<String>,
    },
}

/// Decides. `distinct` gives the record's own value of a key's `distinct` column.
///
/// The outcome depends on the set of candidates, not on their order.
pub fn decide(
    specs: &[KeySpec],
    candidates: &[Candidate],
    distinct: impl Fn(&KeySpec) -> Option<String>,
) -> Decision {
    let allowed: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| {
            specs
                .iter()
                .find(|spec| spec.label == candidate.label)
                .is_some_and(|spec| {
                    let taken = distinct(spec).is_some_and(|own| candidate.taken.contains(&own));
                    !taken && (spec.within_source || !candidate.same_module)
                })
        })
        .collect();
    let entities: BTreeSet<&str> = allowed.iter().map(|c| c.entity_id.as_str()).collect();
    let mut found = entities.iter();
    match (found.next(), found.next()) {
        (None, _) => Decision::NoMatch,
        (Some(one), None) => {
            let keys: BTreeSet<&str> = allowed.iter().map(|c| c.label.as_str()).collect();
            Decision::Match {
                entity_id: (*one).to_owned(),
                keys: keys.into_iter().map(str::to_owned).collect(),
            }
        }
        _ => Decision::Review {
            entities: entities.into_iter().map(str::to_owned).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::NormalSpec;

    fn spec(label: &str, within_source: bool, distinct: bool) -> KeySpec {
        KeySpec {
            label: label.into(),
            on: vec!["c".into()],
            normal: NormalSpec::default(),
            within_source,
            distinct: distinct.then(|| "_prefix".to_owned()),
        }
    }

    fn candidate(label: &str, entity: &str, same_module: bool, taken: &[&str]) -> Candidate {
        Candidate {
            label: label.into(),
            entity_id: entity.into(),
            same_module,
            taken: taken.iter().map(|t| (*t).to_owned()).collect(),
        }
    }

    #[test]
    fn only_one_allowed_entity_is_a_match() {
        let specs = [spec("email", false, false), spec("twin", true, true)];
        let found = |entity: &str, key: &str| Decision::Match {
            entity_id: entity.into(),
            keys: vec![key.into()],
        };
        let cases = [
            ("nobody", vec![], Decision::NoMatch),
            (
                "one of another source",
                vec![candidate("email", "a", false, &[])],
                found("a", "email"),
            ),
            (
                "a household of one source stays two",
                vec![candidate("email", "a", true, &[])],
                Decision::NoMatch,
            ),
            (
                "a twin",
                vec![candidate("twin", "a", true, &["tme"])],
                found("a", "twin"),
            ),
            (
                "the same sort of id twice is two",
                vec![candidate("twin", "a", true, &["tle"])],
                Decision::NoMatch,
            ),
            (
                "two entities share it",
                vec![
                    candidate("email", "b", false, &[]),
                    candidate("email", "a", false, &[]),
                ],
                Decision::Review {
                    entities: vec!["a".into(), "b".into()],
                },
            ),
        ];
        for (label, mut candidates, expected) in cases {
            let own = |spec: &KeySpec| spec.distinct.is_some().then(|| "tle".to_owned());
            assert_eq!(decide(&specs, &candidates, own), expected, "{label}");
            candidates.reverse();
            assert_eq!(
                decide(&specs, &candidates, own),
                expected,
                "{label}, reversed"
            );
        }
    }
}
