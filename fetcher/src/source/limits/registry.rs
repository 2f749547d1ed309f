//! Shares one value between all users of a source within a process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// The shared value for `key`, made on first use and dropped with its last holder.
pub(crate) fn shared<T: Send + Sync + 'static, E>(
    registry: &'static Registry<T>,
    key: String,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<Arc<T>, E> {
    let mut all = registry
        .get_or_init(Default::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = all.get(&key).and_then(Weak::upgrade) {
        return Ok(found);
    }
    all.retain(|_, held| held.strong_count() > 0);
    let made = Arc::new(make()?);
    all.insert(key, Arc::downgrade(&made));
    Ok(made)
}

/// The shared values by key.
pub(crate) type Registry<T> = OnceLock<Mutex<HashMap<String, Weak<T>>>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_openings_share_and_a_closed_source_is_forgotten() {
        static REGISTRY: Registry<u32> = OnceLock::new();
        let open = |value: u32| shared(&REGISTRY, "a".into(), || Ok::<_, ()>(value)).unwrap();
        let (one, two) = (open(1), open(2));
        assert_eq!((*one, *two), (1, 1));
        drop((one, two));
        assert_eq!(*open(3), 3);
    }
}
