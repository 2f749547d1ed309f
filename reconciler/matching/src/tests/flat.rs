//! Conditions in flat form agree with the plain reference implementation for any pair.

use proptest::prelude::*;

use super::plain::Plain;
use crate::base::Base;
use crate::compare::{Condition, Facts, Flat, Named, Pair, parse};
use crate::normalise::Lexicon;
use crate::profile::Layout;
use crate::spec::Spec;

const SPEC: &str = "
id: id
fields:
  - { field: name, as: party, from: { given: given, surname: surname } }
  - { field: phone, as: phone, from: [phone, other_phone] }
  - { field: serial, as: exact, from: serial }
blocking: []
comparisons: []
";

/// Names that are similar in every way that conditions test.
const NAMES: [&str; 20] = [
    "",
    "Jean",
    "J",
    "JF",
    "Jean-François",
    "Jean Paul",
    "Bill",
    "William",
    "Willy",
    "Tremblay",
    "Trembaly",
    "Tremblai",
    "Roy",
    "Roi",
    "Ryo",
    "שלום",
    "שלומ",
    "Jean Tremblay Roy",
    "Jo",
    "Łukasz",
];
const PHONES: [&str; 6] = [
    "",
    "514 842-9951",
    "514 842-9952",
    "842-9951",
    "+33 1 42 68 53 00",
    "514 842-9915",
];
const SERIALS: [&str; 12] = [
    "",
    "123456",
    "123457",
    "123546",
    "12345",
    "J123456",
    "123456 J",
    "no 7",
    "999",
    "J-1234",
    "é12345",
    "a much longer serial number than any piano ever had, to pass sixty-four letters 1234",
];

fn record() -> impl Strategy<Value = [&'static str; 5]> {
    let name = || prop::sample::select(&NAMES[..]);
    let phone = || prop::sample::select(&PHONES[..]);
    let serial = prop::sample::select(&SERIALS[..]);
    (name(), name(), phone(), phone(), serial)
        .prop_map(|(given, surname, phone, other, serial)| [given, surname, phone, other, serial])
}

fn condition() -> impl Strategy<Value = String> {
    let at = || {
        prop::sample::select(
            &[
                "name",
                "name.given",
                "name.surname",
                "phone",
                "phone.local",
                "serial",
            ][..],
        )
    };
    let test = prop::sample::select(
        &[
            "present", "absent", "equal", "differ", "nickname", "initial", "part", "slip", "sound",
        ][..],
    );
    let measure = prop::sample::select(
        &[
            "jaro_winkler",
            "edits",
            "overlap",
            "contained",
            "gap",
            "share",
            "length",
            "others",
        ][..],
    );
    let leaf = prop_oneof![
        (test, at()).prop_map(|(test, at)| format!("{test}({at})")),
        (
            prop::sample::select(&["swapped", "crossed"][..]),
            at(),
            at()
        )
            .prop_map(|(test, one, other)| format!("{test}({one}, {other})")),
        (measure, at(), at(), any::<bool>(), 0_u8..8).prop_map(
            |(measure, at, who, least, bound)| {
                let bound = match measure {
                    "jaro_winkler" | "overlap" | "contained" | "share" => {
                        f32::from(bound) * 0.05 + 0.6
                    }
                    _ => f32::from(bound),
                };
                let sign = if least { ">=" } else { "<=" };
                let who = if measure == "others" {
                    format!(", {who}")
                } else {
                    String::new()
                };
                format!("{measure}({at}{who}) {sign} {bound}")
            }
        ),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            list().prop_map(|list| format!("({})", list.join(" and "))),
            list().prop_map(|list| format!("({})", list.join(" or "))),
            inner.prop_map(|inner| format!("not {inner}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_flat_condition_says_what_the_condition_says(
        records in prop::collection::vec(record(), 2..8),
        texts in prop::collection::vec(condition(), 1..6),
    ) {
        let spec = Spec::parse(SPEC).expect("a specification");
        let layout = Layout::of(&spec);
        let mut base = Base::new(&layout);
        let profiles: Vec<_> = records
            .iter()
            .map(|values| layout.profile(&values[..], &Lexicon::default()))
            .collect();
        base.extend(&profiles);
        let read = |text: &String| parse(text, &|name| layout.attribute(name)).expect("a condition");
        let conditions: Vec<Condition> = texts.iter().map(read).collect();
        let facts = Facts::of(&base, conditions.iter());
        let mut named = Named::default();
        let flat: Vec<Flat> = conditions.iter().map(|of| Flat::of(of, &mut named)).collect();
        named.settle(&layout);
        for one in 0..base.records {
            for other in 0..base.records {
                // One pair evaluates all conditions, so its cached measures must serve each of them.
                let mut pair = Pair::new(&base, &facts, &named, one, other);
                let plain = Plain { base: &base, facts: &facts, one, other };
                for ((condition, flat), text) in conditions.iter().zip(&flat).zip(&texts) {
                    prop_assert_eq!(
                        flat.holds(&mut pair), plain.holds(condition),
                        "{} of {:?} and {:?}", text, records[one as usize], records[other as usize]
                    );
                }
            }
        }
    }
}
