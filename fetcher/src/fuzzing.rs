//! Fuzz targets: run by `tests/fuzz` with coverage guidance, and for a limited number of rounds by the tests
//! below.

pub use crate::modules::fuzz::module_file;
pub use crate::pages::fuzz::{answer, cursor};

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Tokens that mean something to one of the parsers.
    const WORDS: [&str; 16] = [
        "null", "{", "}", "[", "]", "\"", "\\u0000", "\\ud800", "data", "errors", "1e999", "-0",
        ": ", "\n  - ", "&a *a", ":",
    ];

    /// A seed with some bytes changed, repeated, removed or replaced by a token.
    fn mutated(random: &mut StdRng, seed: &str) -> Vec<u8> {
        let mut bytes = seed.as_bytes().to_vec();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..=bytes.len());
            let end = (at + random.random_range(0..40)).min(bytes.len());
            match random.random_range(0..4) {
                0 => bytes
                    .get_mut(at)
                    .into_iter()
                    .for_each(|byte| *byte ^= 1 << (end % 8)),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let word = WORDS[random.random_range(0..WORDS.len())];
                    bytes.splice(at..at, word.bytes());
                }
            }
        }
        bytes
    }

    fn feed(seeds: &[String], rounds: u64, target: impl Fn(&[u8])) {
        for round in 0..rounds {
            // Printed where the target panics.
            println!("round {round}");
            let mut random = StdRng::seed_from_u64(round);
            let seed = &seeds[round as usize % seeds.len()];
            target(&mutated(&mut random, seed));
        }
    }

    #[test]
    fn any_bytes_are_an_answer_or_refused() {
        let modules = crate::load_modules(&[]).unwrap();
        let seeds: Vec<String> = modules
            .iter()
            .map(|module| {
                let path = module.fetch.connection.join(&module.fetch.nodes);
                let records = r#"[{"id":"a_1","name":"Éc. \"St\" 9"},null,{"id":2,"x":[{"y":{}}]}]"#;
                let inner = path.segments().iter().rev().fold(records.to_owned(), |inner, name| {
                    format!(r#"{{"{name}":{inner},"pageInfo":{{"hasNextPage":true,"endCursor":"c"}},"totalCount":3}}"#)
                });
                format!(r#"{{"data":{inner},"errors":[{{"message":"m","path":["a",0]}}]}}"#)
            })
            .collect();
        feed(&seeds, 20_000, |bytes| answer(&modules, bytes));
    }

    #[test]
    fn any_text_is_a_cursor_or_refused() {
        let modules = crate::load_modules(&[]).unwrap();
        let seeds = [
            "YXJyYXk6MTAw",
            "2:100",
            "18446744073709551615",
            "",
            "+7:007",
            r#"divided:{"cuts":[5],"parts":["start",{"after":"x"}]}"#,
        ];
        feed(&seeds.map(str::to_owned), 20_000, |bytes| {
            cursor(&modules, bytes)
        });
    }

    #[test]
    fn any_text_is_a_module_or_a_fault_with_its_remedy() {
        let modules = crate::load_modules(&[]).unwrap();
        let seeds: Vec<String> = modules
            .iter()
            .flat_map(|module| [module.yaml.to_string(), module.query.to_string()])
            .collect();
        feed(&seeds, 1_500, module_file);
    }
}
