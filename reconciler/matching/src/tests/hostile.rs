//! Extreme values stay within bounds.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::compare::{edits, jaro_winkler, parse};
use crate::fuzzing::forms;
use crate::normalise::{folded, repaired};

/// Computes every normal form of a text, and compares pairs of them.
fn all_forms(text: &str) {
    forms(text);
    let form = folded(text);
    let _ = (jaro_winkler(&form, "tremblay"), edits(&form, "tremblay", 2));
}

#[test]
fn ten_megabytes_are_read_in_no_time() {
    let megabytes = 10 * 1024 * 1024;
    let hostile = [
        "a".repeat(megabytes),
        format!("a{}", "\u{301}".repeat(megabytes / 2)),
        "\u{5e9}\u{5dc} ".repeat(megabytes / 5),
        "\u{202e}abc\u{202c}".repeat(megabytes / 9),
        "Ã©".repeat(megabytes / 4),
        "@.".repeat(megabytes / 2),
        "1-".repeat(megabytes / 2),
        "(".repeat(megabytes),
        ", ".repeat(megabytes / 2),
        "\u{fdfa}".repeat(megabytes / 3),
    ];
    for text in &hostile {
        let began = Instant::now();
        all_forms(text);
        let took = began.elapsed();
        let start: String = text.chars().take(4).collect();
        assert!(took < Duration::from_secs(2), "{start:?} took {took:?}");
    }
}

#[test]
fn ten_megabytes_of_condition_are_refused_in_no_time() {
    let megabytes = 10 * 1024 * 1024;
    let hostile = [
        "(".repeat(megabytes),
        "not ".repeat(megabytes / 4),
        "( not ".repeat(megabytes / 6),
        "equal(".repeat(megabytes / 6),
        "\u{301}".repeat(megabytes / 2),
        format!("equal(email) and {}", "(".repeat(megabytes)),
        format!("edits(email) <= {}", "9".repeat(megabytes)),
    ];
    for text in &hostile {
        let began = Instant::now();
        let read = parse(text, &|name| (name == "email").then_some(0));
        let took = began.elapsed();
        let start: String = text.chars().take(20).collect();
        assert!(took < Duration::from_secs(2), "{start:?} took {took:?}");
        let is_number = text.starts_with("edits");
        assert_eq!(read.is_ok(), is_number, "{start:?}");
        let said = read.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(
            said.len() < 1_000,
            "{start:?}: an error of {} bytes",
            said.len()
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_a_condition_or_refused(text in any::<String>()) {
        let _ = parse(&text, &|_| Some(0));
    }

    #[test]
    fn words_of_conditions_in_any_order_are_a_condition_or_refused(
        words in prop::collection::vec(prop::sample::select(vec![
            "(", ")", ",", "and", "or", "not", "equal", "email", "edits", "<=", ">=", "1", "0.5", "-1e40", "NaN", "others",
        ]), 0..24),
    ) {
        let text = words.join(" ");
        if let Err(error) = parse(&text, &|name| (name == "email").then_some(0)) {
            prop_assert!(error.to_string().contains(&error.fault), "{}", error);
        }
    }

    #[test]
    fn any_text_has_forms(text in any::<String>()) {
        all_forms(&text);
    }

    #[test]
    fn texts_like_those_of_forms_have_forms(text in "[A-Za-zéèçÀÃ©Â'’.,@#()+0-9 -]{0,60}") {
        all_forms(&text);
    }

    #[test]
    fn likeness_is_the_same_either_way_round(one in "[a-f ]{0,12}", other in "[a-fé ]{0,12}") {
        prop_assert_eq!(jaro_winkler(&one, &other).to_bits(), jaro_winkler(&other, &one).to_bits());
        prop_assert_eq!(edits(&one, &other, 3), edits(&other, &one, 3));
        prop_assert!(jaro_winkler(&one, &one) > 0.999 || one.is_empty());
    }

    #[test]
    fn mojibake_is_put_right(text in "[a-zéèêëàâçôûùïîœÉÀ ]{0,30}") {
        let spoilt: String = text.bytes().map(char::from).collect();
        prop_assert_eq!(repaired(&spoilt), text);
    }
}
