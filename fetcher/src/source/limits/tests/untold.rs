//! A source that says nothing of its limits.

use super::super::limiter::Priority;
use super::{Kind, Says, Simulated, Stream, rules, simulate};

#[test]
fn a_source_that_says_nothing_is_asked_less_until_it_bears_it() {
    // Twenty a second are configured, ten are borne.
    let mut source = Simulated::new(Kind::Fixed, Says::Nothing, 10.0, 1.0);
    let mut streams = vec![Stream::new("a", 1.0, Priority::Scheduled)];
    simulate(&mut source, &mut streams, &rules(Some(20.0)), 600.0, 1);
    let share = source.used / 6000.0;
    println!("{share:.4} used, {} refused", source.refused);
    assert!(share > 0.85, "{share}");
    assert!(source.refused < 120, "{}", source.refused);
}
