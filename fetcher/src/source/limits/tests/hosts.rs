//! Several hosts with an account each, told their parts as a database would tell them.

use super::*;

const WHOLE: u32 = Part::WHOLE;

fn part(number: u32, of: u32) -> Part {
    Part {
        from: WHOLE / of * number,
        to: WHOLE / of * (number + 1),
    }
}

/// One host at first; another comes, has nothing until the first has made room, and goes again; then there
/// are three.
fn comings_and_goings() -> Vec<Told> {
    let (half, none) = (|number| part(number, 2), Part::NONE);
    let third = |number| part(number, 3);
    vec![
        (0.0, 0, Part::ALL, Part::ALL),
        (0.0, 1, none, half(1)),
        (0.0, 2, none, third(2)),
        (14.0, 1, none, half(1)),
        (14.0, 2, none, third(2)),
        (20.0, 0, half(0), half(0)),
        (20.6, 1, half(1), half(1)),
        (28.0, 2, none, third(2)),
        (38.0, 2, none, third(2)),
        (40.0, 0, third(0), third(0)),
        (
            40.3,
            1,
            Part {
                from: WHOLE / 2,
                to: WHOLE / 3 * 2,
            },
            third(1),
        ),
        (40.7, 2, third(2), third(2)),
        (41.3, 1, third(1), third(1)),
        (80.0, 0, none, Part::ALL),
        (80.0, 1, none, Part::ALL),
        (80.5, 2, Part::ALL, Part::ALL),
        (94.0, 0, none, Part::ALL),
        (94.0, 1, none, Part::ALL),
        (107.0, 0, none, Part::ALL),
        (107.0, 1, none, Part::ALL),
    ]
}

#[test]
fn hosts_that_come_and_go_use_the_whole_together_and_none_is_refused() {
    let stream = |host, cost| Stream {
        host,
        ..Stream::new("a", cost, Priority::Scheduled)
    };
    // The last is the least share used: who does not know a window for sure keeps away from its edges.
    let cases = [
        (Kind::Fixed, Says::Policy, 20.0, 1.0, 1.0, 0.97),
        (Kind::Sliding, Says::Policy, 20.0, 1.0, 1.0, 0.97),
        (Kind::Sliding, Says::Policy, 100.0, 1.0, 1.0, 0.97),
        (Kind::Fixed, Says::Policy, 200.0, 10.0, 1.0, 0.97),
        (Kind::Sliding, Says::Policy, 200.0, 10.0, 1.0, 0.97),
        (Kind::Fixed, Says::Plain, 200.0, 10.0, 1.0, 0.75),
        (Kind::Points, Says::Cost, 2000.0, 2.0, 50.0, 0.97),
        (Kind::Points, Says::Cost, 1000.0, 10.0, 20.0, 0.97),
    ];
    for (number, (kind, says, limit, length, cost, least)) in cases.into_iter().enumerate() {
        for seed in 0..10 {
            let mut source = Simulated::new(kind, says, limit, length);
            let mut streams: Vec<Stream> = [0, 0, 1, 2, 2].map(|host| stream(host, cost)).into();
            let told = comings_and_goings();
            let seconds = 108.0;
            simulate_hosts(
                &mut source,
                &mut streams,
                &rules(None),
                seconds,
                seed,
                &told,
            );
            let share = source.used / (limit / length * seconds);
            let label =
                format!("case {number} {kind:?} {says:?} {limit} in {length} s, seed {seed}");
            println!("{label}: {share:.4}, {} refused", source.refused);
            assert_eq!(source.refused, 0, "{label}");
            assert!(share >= least, "{label}: {share}");
            assert!(streams.iter().all(|stream| stream.served > 0), "{label}");
        }
    }
}

#[test]
fn hosts_side_by_side_use_the_last_request_too() {
    let mut without_a_word = 0;
    for (kind, says, limit, length, hosts) in [
        (Kind::Fixed, Says::Policy, 20.0, 1.0, 3),
        (Kind::Sliding, Says::Policy, 100.0, 10.0, 2),
        (Kind::Points, Says::Cost, 2000.0, 2.0, 2),
    ] {
        let mut source = Simulated::new(kind, says, limit, length);
        let cost = if says == Says::Cost { 20.0 } else { 1.0 };
        let streams = || -> Vec<Stream> {
            let stream = |host| Stream {
                host,
                ..Stream::new("a", cost, Priority::Scheduled)
            };
            (0..hosts as usize).map(stream).collect()
        };
        let told: Vec<Told> = (0..hosts)
            .map(|host| (0.0, host as usize, part(host, hosts), part(host, hosts)))
            .collect();
        simulate_hosts(&mut source, &mut streams(), &rules(None), 300.0, 1, &told);
        let share = source.used / (limit / length * 300.0);
        println!(
            "{kind:?}, {hosts} hosts: {share:.4}, {} refused",
            source.refused
        );
        assert_eq!(source.refused, 0, "{kind:?}");
        assert!(share >= 0.985, "{kind:?}: {share}");
        // The same without a word between them.
        let mut alone = Simulated::new(kind, says, limit, length);
        simulate_hosts(&mut alone, &mut streams(), &rules(None), 300.0, 1, &[]);
        println!("{kind:?}, without a word: {} refused", alone.refused);
        without_a_word += alone.refused;
    }
    assert!(without_a_word > 0, "the parts are what keeps them apart");
}

#[test]
fn a_host_that_hears_nothing_keeps_to_its_last_part_and_in_the_end_to_none() {
    let mut pace = Pace::default();
    let go = |pace: &mut Pace, at: f64| {
        pace.look(BEGIN + at);
        pace.step(
            BEGIN + at,
            &rules(Some(1.0)),
            "a",
            Priority::Scheduled,
            BEGIN + at,
        )
    };
    pace.tell(Part::NONE, part(1, 2), BEGIN);
    assert!(
        matches!(go(&mut pace, 1.0), Step::Later(_)),
        "it has nothing"
    );
    // Nobody speaks any more: it takes what it would be due, and no more.
    assert!(matches!(go(&mut pace, 16.0), Step::Go(_)));
    assert!((pace.rate(&rules(Some(1.0)).rate) - 0.5).abs() < 1e-9);
    pace.look(BEGIN + 1800.0);
    assert!((pace.rate(&rules(Some(1.0)).rate) - 0.5).abs() < 1e-9);
    pace.look(BEGIN + 3700.0);
    assert!(
        (pace.rate(&rules(Some(1.0)).rate) - 1.0).abs() < 1e-9,
        "nobody remembers the others"
    );
}
