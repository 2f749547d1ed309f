//! Random faults together, by seed. `CONCORD_SWARM=FROM..TO` runs other seeds than the few of every day.

use serde_json::{Value, json};

use super::oracle::Trial;
use super::wire::Wire;

/// A small generator of its own, so that a seed means the same for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const FAULTS: [&str; 14] = [
    "server_error",
    "truncated_body",
    "too_many_requests",
    "maintenance_page",
    "errors_without_data",
    "errors_with_data",
    "null_node",
    "empty_page",
    "repeat_rows",
    "shift_rows",
    "total_count",
    "cursor_refused",
    "page_too_large",
    "unauthorized",
];

async fn survives(trial: &mut Trial, seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    trial.change().await;
    let faults: Vec<Value> = (0..=dice.roll(3))
        .map(|_| {
            let name = FAULTS[dice.roll(FAULTS.len() as u64) as usize];
            json!({ "name": name, "after": dice.roll(5), "times": 1 + dice.roll(4) })
        })
        .collect();
    let wire =
        [Wire::Through, Wire::Closed, Wire::Cut(900), Wire::Cut(5000)][dice.roll(4) as usize];
    println!("seed {seed}: {} {wire:?}", Value::from(faults.clone()));
    trial.world.fault(Value::from(faults)).await;
    trial.proxy.breaks(wire, 1 + dice.roll(3) as u32);
    let deleted = trial.deleted().await;
    for _ in 0..2 {
        let answer = trial.run().await;
        if answer.code != 0 {
            assert!(trial.deleted().await - deleted <= 1, "seed {seed}");
        }
        trial.holds(&format!("seed {seed}")).await;
    }
    trial.heals(&format!("seed {seed}")).await;
}

async fn survives_all(seeds: std::ops::Range<u64>) {
    let mut trial = Trial::begin().await;
    for seed in seeds {
        survives(&mut trial, seed).await;
    }
}

#[tokio::test]
async fn any_faults_together_heal() {
    let seeds = std::env::var("CONCORD_SWARM").unwrap_or_default();
    let (from, to) = seeds.split_once("..").unwrap_or(("1", "7"));
    let number = |text: &str| text.parse::<u64>().expect("CONCORD_SWARM=FROM..TO");
    survives_all(number(from)..number(to)).await;
}

#[tokio::test]
async fn any_other_faults_together_heal() {
    survives_all(7..13).await;
}
