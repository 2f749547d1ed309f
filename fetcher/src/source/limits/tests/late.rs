//! A busy machine: a late timer delays its own request, not all requests after it.

use super::super::limiter::Priority;
use super::{Kind, Says, Simulated, Stream, rules, steady_share};

#[test]
fn a_machine_that_is_late_loses_little_and_is_never_refused() {
    for (kind, limit, length, late, least) in [
        (Kind::Sliding, 20.0, 1.0, 0.02, 0.96),
        (Kind::Sliding, 100.0, 10.0, 0.1, 0.92),
        (Kind::Fixed, 20.0, 1.0, 0.02, 0.94),
    ] {
        for (seed, count) in [(0, 1), (1, 3), (2, 3)] {
            let mut source = Simulated::new(kind, Says::Policy, limit, length);
            source.late = late;
            let stream = |_| Stream::new("a", 1.0, Priority::Scheduled);
            let mut streams: Vec<_> = (0..count).map(stream).collect();
            let share = steady_share(&mut source, &mut streams, &rules(None), seed);
            let label = format!("{kind:?} {limit} in {length} s, {late} s late, {count} streams");
            println!("{label}: {share:.4}, {} refused", source.refused);
            assert_eq!(source.refused, 0, "{label}");
            assert!(share >= least, "{label}: {share}");
        }
    }
}
