//! Test records: households whose members occur several times, with typos.

use std::path::{Path, PathBuf};

use crate::batch::{Batch, Scored};
use crate::decide::{Decisions, Links, thresholds};
use crate::model::Model;
use crate::spec::Spec;

pub const SPEC: &str = "
id: id
fields:
  - { field: name, as: party, from: { full: name } }
  - { field: phone, as: phone, from: phone }
  - { field: city, as: city, from: city }
blocking:
  - { key: [phone] }
  - { key: [name] }
  - { key: ['sound(name.surname)', city], most: 200 }
comparisons:
  - comparison: given name
    individual: true
    missing: not present(name.given)
    levels:
      - { level: same, when: equal(name.given), frequency: name.given }
      - { level: initial, when: initial(name.given) }
      - { level: close, when: 'jaro_winkler(name.given) >= 0.88' }
  - comparison: surname
    missing: not present(name.surname)
    levels:
      - { level: same, when: equal(name.surname), frequency: name.surname }
      - { level: close, when: 'jaro_winkler(name.surname) >= 0.88' }
  - comparison: phone
    missing: not present(phone)
    levels:
      - { level: same, when: equal(phone) }
  - comparison: city
    missing: not present(city)
    levels:
      - { level: same, when: equal(city), frequency: city }
";

/// A row and its person.
#[derive(Debug, Clone)]
pub struct Row {
    pub id: String,
    pub person: usize,
    pub line: String,
}

const BEGINNINGS: [&str; 12] = [
    "An", "Bru", "Car", "Den", "Est", "Fab", "Gin", "Hec", "Irm", "Jol", "Kar", "Lo",
];
const ENDINGS: [&str; 8] = [
    "abel", "ovic", "iane", "emond", "ulfe", "ystan", "orine", "egise",
];
const SURNAMES: [&str; 10] = [
    "Aubertin",
    "Bellavance",
    "Cormoran",
    "Desruches",
    "Ethier",
    "Fontaineau",
    "Grandbois",
    "Huardel",
    "Inverness",
    "Jolivet",
];
const CITIES: [&str; 5] = ["Alma", "Beloeil", "Chambly", "Delson", "Eastman"];

/// Two hundred households of two on one telephone, each member twice.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for household in 0..200_usize {
        let surname = SURNAMES[household * 7 % 10];
        let phone = format!("514 {:03} {:04}", 200 + household, household * 37 % 10_000);
        let city = CITIES[household / 3 % 5];
        for member in 0..2 {
            let number = household * 5 + member * 29;
            let given = format!("{}{}", BEGINNINGS[number % 12], ENDINGS[number / 12 % 8]);
            let person = household * 2 + member;
            for copy in 0..2 {
                let name = match (copy, household % 4) {
                    (1, 0) => format!("{surname}, {given}"),
                    (1, 1) => format!("{given} {}{}", surname, &surname[surname.len() - 1..]),
                    _ => format!("{given} {surname}"),
                };
                let id = format!("r{:04}", (person * 2 + copy) * 613 % 9973);
                let phone = if copy == 1 && household % 5 == 0 {
                    ""
                } else {
                    &phone
                };
                rows.push(Row {
                    line: format!("{id},\"{name}\",{phone},{city}"),
                    id,
                    person,
                });
            }
        }
    }
    rows
}

pub fn written(rows: &[Row], name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("matching-{}-{name}.csv", std::process::id()));
    let text: String = std::iter::once("id,name,phone,city")
        .chain(rows.iter().map(|row| row.line.as_str()))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(&path, text).expect("a file");
    path
}

/// The complete result for a file.
pub struct Outcome {
    pub batch: Batch,
    pub model: Model,
    pub scored: Vec<Scored>,
    pub decisions: Decisions,
}

pub fn matched(path: &Path, links: &Links) -> Outcome {
    let spec = Spec::parse(SPEC).expect("a specification");
    let batch = Batch::read(&spec, &[path], None, &mut |_| {}).expect("a batch");
    let mut model = batch.train(&spec);
    let scored = batch.score(&model, -20.0);
    model.thresholds = thresholds(&spec.decide, &scored);
    let decisions = batch.decide(&model, &scored, links);
    Outcome {
        batch,
        model,
        scored,
        decisions,
    }
}
