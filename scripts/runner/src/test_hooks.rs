//! Named points at which tests stop a run: to kill it exactly there, or to change something and let it go on.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

static REQUESTED: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
    let requested = std::env::var("CONCORD_HALT_AT").ok()?;
    let (point, times) = requested.split_once(':').unwrap_or((&requested, "1"));
    Some((point.to_owned(), times.parse().unwrap_or(1)))
});
static PASSED: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

/// Where `CONCORD_HALT_AT=point[:n]` names this point, the n-th call says so on standard error and waits to
/// be killed, or for a line on standard input. Without the variable this does nothing.
pub(crate) fn halt_at(point: &str) {
    let Some((requested, times)) = REQUESTED.as_ref().filter(|(name, _)| name == point) else {
        return;
    };
    let passed = {
        let mut all = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(requested.clone()).or_default();
        *count += 1;
        *count
    };
    if passed == *times {
        eprintln!("halted at {point}");
        let line = std::io::stdin().read_line(&mut String::new());
        while !matches!(line, Ok(read) if read > 0) {
            std::thread::park();
        }
    }
}
