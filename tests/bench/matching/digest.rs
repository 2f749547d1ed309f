//! Whether two builds do the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use matching::batch::Scored;

/// A number of all scores, keys and clusters: the same for two builds that do the same.
pub fn digest(scored: &[Scored], clusters: &[u32]) -> String {
    let mut hasher = DefaultHasher::new();
    for pair in scored {
        (pair.one, pair.other, pair.score.to_bits(), pair.keys).hash(&mut hasher);
    }
    clusters.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
