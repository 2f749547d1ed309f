//! The fences of text: the width of comments and Markdown, and the tests that documents name.

use std::collections::BTreeSet;

use crate::rust_code::tests_in;
use crate::tidy::{Text, no_faults, texts};

/// Characters in a line of comments or Markdown.
const WIDTH: usize = 110;

/// Where wide lines are still allowed. Take an entry out once its lines are narrow.
const STILL_WIDE: [&str; 0] = [];

/// Checks lines of files, and that no exception outlives its cause.
fn check_width(texts: &[Text], lines: fn(&Text) -> Vec<(usize, &str)>, exceptions: &[&str]) {
    let mut faults = Vec::new();
    let mut needed = BTreeSet::new();
    for file in texts {
        for (number, line) in lines(file) {
            let width = line.chars().count();
            if width <= WIDTH {
                continue;
            }
            match exceptions
                .iter()
                .find(|start| file.path.starts_with(**start))
            {
                Some(exception) => {
                    needed.insert(*exception);
                }
                None => faults.push(format!("{}:{number}: {width} columns", file.path)),
            }
        }
    }
    let outlived = exceptions.iter().filter(|start| !needed.contains(*start));
    faults.extend(outlived.map(|start| format!("STILL_WIDE: `{start}` is narrow now")));
    no_faults(faults, &format!("Break these lines at {WIDTH} columns:"));
}

#[test]
fn comment_lines_are_narrow() {
    fn comments(file: &Text) -> Vec<(usize, &str)> {
        let lines = (1..).zip(file.text.lines());
        lines
            .filter(|(_, line)| file.is_rust() && line.trim_start().starts_with("//"))
            .collect()
    }
    check_width(&texts(), comments, &[]);
}

#[test]
fn markdown_lines_are_narrow() {
    fn prose(file: &Text) -> Vec<(usize, &str)> {
        if file.path.ends_with(".md") {
            prose_of(&file.text)
        } else {
            Vec::new()
        }
    }
    check_width(&texts(), prose, &STILL_WIDE);
}

/// The lines outside tables and code blocks.
fn prose_of(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut kept = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let begins = line.trim_start();
        if begins.starts_with("```") {
            is_code = !is_code;
        } else if !is_code && !begins.starts_with('|') {
            kept.push((number, line));
        }
    }
    kept
}

/// A test is named as `file::test`, or as `file::*` for all of a file. A name of at least three words is
/// taken for a test, so that `staging::records` may be written of code.
#[test]
fn tests_that_documents_name_exist() {
    let texts = texts();
    let mut known = BTreeSet::new();
    for file in texts.iter().filter(|file| file.is_rust()) {
        for test in tests_in(&file.text) {
            for part in file.path.trim_end_matches(".rs").split('/') {
                known.insert(format!("{part}::{test}"));
                known.insert(format!("{part}::*"));
            }
        }
    }
    let mut faults = Vec::new();
    for file in texts.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let spans = line.split('`').skip(1).step_by(2);
            let missing = spans
                .filter_map(named_test)
                .filter(|name| !known.contains(name));
            faults.extend(missing.map(|name| format!("{}:{number}: `{name}`", file.path)));
        }
    }
    no_faults(faults, "These tests do not exist:");
}

/// `file::test` of a code span that names a test.
fn named_test(span: &str) -> Option<String> {
    let is_word = |part: &&str| {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_*".contains(c);
        !part.is_empty() && part.chars().all(allowed)
    };
    let parts: Vec<&str> = span.split("::").collect();
    let (test, place) = parts.split_last()?;
    if !parts.iter().all(is_word) {
        return None;
    }
    let file = place.iter().rev().find(|part| **part != "tests")?;
    let names_a_test = *test == "*" || test.matches('_').count() >= 2;
    names_a_test.then(|| format!("{file}::{test}"))
}

#[test]
fn code_spans_that_name_tests_are_told_from_others() {
    let cases = [
        (
            "ten_runs::ten_runs_equal_one",
            Some("ten_runs::ten_runs_equal_one"),
        ),
        (
            "config::tests::the_url_never_shows",
            Some("config::the_url_never_shows"),
        ),
        ("killed::*", Some("killed::*")),
        ("staging::records", None),
        ("fetcher::Secret", None),
        ("a_name_alone", None),
    ];
    for (span, expected) in cases {
        assert_eq!(named_test(span).as_deref(), expected, "{span}");
    }
}
