//! Modules that run at the same time.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reconciler::Definition;

use crate::config::Config;

/// How many modules may run at once.
pub struct Places<'a> {
    /// In all.
    pub most: usize,
    /// Of one source, by its name; one where it says nothing.
    pub of_source: BTreeMap<&'a str, usize>,
}

/// Modules that run at once at most, whatever the sources allow.
const MOST: usize = 4;

impl<'a> Places<'a> {
    /// As configured: different sources do not wait for each other, and each says how many of its modules may
    /// run.
    pub fn of(config: &'a Config, one_by_one: bool) -> Self {
        let of_source = config.sources.iter();
        Self {
            most: if one_by_one { 1 } else { MOST },
            of_source: of_source
                .map(|(name, source)| (name.as_str(), source.modules_at_once.get()))
                .collect(),
        }
    }

    fn for_source(&self, source: &str) -> usize {
        self.of_source.get(source).copied().unwrap_or(1)
    }
}

/// Runs every module, and answers in their order what came of it, and the first error. A module begins once
/// its parents among those before it have ended and its source has a place for it. After an error nothing
/// begins any more; what runs is waited for.
pub async fn abreast<T>(
    modules: &[&Definition],
    places: &Places<'_>,
    run: impl AsyncFn(&Definition) -> anyhow::Result<T>,
) -> (Vec<T>, anyhow::Result<()>) {
    let run = &run;
    let mut outcomes: Vec<Option<T>> = modules.iter().map(|_| None).collect();
    let mut waiting: Vec<usize> = (0..modules.len()).collect();
    let mut running: Vec<usize> = Vec::new();
    let mut under_way = FuturesUnordered::new();
    let mut failure = None;
    loop {
        while let Some(at) = waiting.iter().position(|next| {
            failure.is_none()
                && running.len() < places.most
                && may_begin(modules, places, *next, &waiting, &running)
        }) {
            let number = waiting.remove(at);
            running.push(number);
            under_way.push(async move { (number, run(modules[number]).await) });
        }
        let Some((number, outcome)) = under_way.next().await else {
            break;
        };
        running.retain(|other| *other != number);
        match outcome {
            Ok(outcome) => outcomes[number] = Some(outcome),
            Err(cause) => failure = failure.or(Some(cause)),
        }
    }
    let outcomes = outcomes.into_iter().flatten().collect();
    (outcomes, failure.map_or(Ok(()), Err))
}

fn may_begin(
    modules: &[&Definition],
    places: &Places<'_>,
    next: usize,
    waiting: &[usize],
    running: &[usize],
) -> bool {
    let source = modules[next].module.source.as_str();
    let taken = running
        .iter()
        .filter(|other| modules[**other].module.source == source);
    if taken.count() >= places.for_source(source) {
        return false;
    }
    // Of two in a circle, the one that stands first begins.
    let mut before = waiting.iter().filter(|other| **other < next).chain(running);
    !before.any(|other| {
        let name = modules[*other].name();
        modules[next].parents().any(|parent| parent == name)
    })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use reconciler::Definitions;

    use super::*;

    /// What happened, and what came of it; `fails` names a module that ends in an error.
    async fn trace(
        at_once: usize,
        fails: &str,
    ) -> (Vec<String>, (Vec<String>, anyhow::Result<()>)) {
        let modules = fetcher::load_modules(&[]).expect("the modules that are compiled in");
        let definitions = Definitions::compile(&modules, "UTC").expect("definitions");
        let places = Places {
            most: 10,
            of_source: [("gazelle", at_once)].into(),
        };
        let said = RefCell::new(Vec::new());
        let ended = abreast(&definitions.parents_first(), &places, async |definition| {
            let name = definition.name().to_owned();
            said.borrow_mut().push(format!("{name} begins"));
            tokio::task::yield_now().await;
            said.borrow_mut().push(format!("{name} ends"));
            anyhow::ensure!(name != fails, "{name} failed");
            Ok(name)
        })
        .await;
        (said.into_inner(), ended)
    }

    #[tokio::test]
    async fn a_module_begins_when_its_parents_have_ended_and_its_source_has_a_place() {
        let order = [
            "users",
            "clients",
            "pianos",
            "appointments",
            "timeline",
            "measurements",
        ];
        let alone: Vec<String> = order
            .iter()
            .flat_map(|name| [format!("{name} begins"), format!("{name} ends")])
            .collect();
        assert_eq!(trace(1, "").await.0, alone);
        let (said, ended) = trace(3, "").await;
        ended.1.expect("no error");
        assert_eq!(ended.0, order, "in their order, whoever ends first");
        let at = |what: &str| said.iter().position(|line| line == what).expect("a line");
        assert!(at("users ends") < at("clients begins"), "{said:?}");
        assert!(at("clients ends") < at("pianos begins"), "{said:?}");
        assert!(at("timeline begins") < at("appointments ends"), "{said:?}");
    }

    #[tokio::test]
    async fn after_an_error_nothing_begins_and_what_runs_is_waited_for() {
        let (said, ended) = trace(3, "timeline").await;
        assert_eq!(
            ended.1.expect_err("an error").to_string(),
            "timeline failed"
        );
        assert!(said.contains(&"appointments ends".to_owned()), "{said:?}");
        assert!(
            !said.contains(&"measurements begins".to_owned()),
            "{said:?}"
        );
    }
}
