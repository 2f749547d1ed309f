//! Named points at which a run can be stopped, so that tests can kill it exactly there, or change the world
//! and let it go on.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

static ASKED: LazyLock<Option<(String, usize)>> = LazyLock::new(|| {
    let asked = std::env::var("CONCORD_HALT_AT").ok()?;
    let (point, times) = asked.split_once(':').unwrap_or((&asked, "1"));
    Some((point.to_owned(), times.parse().unwrap_or(1)))
});
static PASSED: LazyLock<Mutex<HashMap<String, usize>>> = LazyLock::new(Mutex::default);

/// Where `CONCORD_HALT_AT=point[:n]` names this point, its n-th passing says so on standard error and waits
/// to be killed, or for a line on standard input. Without the variable this does nothing.
pub(crate) fn halt_at(point: &str) {
    let Some((asked, times)) = ASKED.as_ref().filter(|(asked, _)| asked == point) else {
        return;
    };
    let passed = {
        let mut all = PASSED
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = all.entry(asked.clone()).or_default();
        *count += 1;
        *count
    };
    if passed == *times {
        eprintln!("halted at {point}");
        let told = std::io::stdin().read_line(&mut String::new());
        while !matches!(told, Ok(read) if read > 0) {
            std::thread::park();
        }
    }
}
