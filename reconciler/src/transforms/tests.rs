//! Transforms every fixture under `tests/fixtures/<module>/` and compares the row or rejection with its
//! snapshot.

use super::Typed;
use crate::{Rejection, Row, local_day::zone_named};
use serde::Serialize;
use std::{fs, path::Path};

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Row(Row),
    Nothing,
    Rejection(Rejection),
}

fn outcome(module: &str, path: &Path) -> Outcome {
    let typed = Typed::named(module).expect("a module with a typed transform");
    let zone = zone_named("America/Montreal").expect("a zone");
    let payload = fs::read_to_string(path).expect("a fixture");
    let from_note = path
        .parent()
        .is_some_and(|folder| folder.ends_with("notes"));
    let result = if from_note {
        typed.derive("timeline", &payload, &zone)
    } else {
        typed.transform(&payload, &zone).map(Some)
    };
    match result {
        Ok(Some(row)) => Outcome::Row(row),
        Ok(None) => Outcome::Nothing,
        Err(rejection) => Outcome::Rejection(rejection),
    }
}

/// serde_json's own printing keeps the digits of numbers as written.
fn shown(outcome: &Outcome) -> String {
    serde_json::to_string_pretty(outcome).expect("an outcome is JSON")
}

macro_rules! fixtures {
    ($($module:ident),+) => {$(
        #[test]
        fn $module() {
            insta::glob!(concat!("../../../tests/fixtures/", stringify!($module)), "**/*.json", |path| {
                insta::assert_snapshot!(shown(&outcome(stringify!($module), path)));
            });
        }
    )+};
}

fixtures!(users, clients, pianos, timeline, measurements, appointments);
