//! Which module runs when: parents before children, and only so many at once.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reconciler::Definition;

/// How many modules may run at once.
pub struct Concurrency<'a> {
    /// In all.
    pub total: usize,
    /// Of one source, by its name; one where it is not named.
    pub per_source: BTreeMap<&'a str, usize>,
}

impl Concurrency<'_> {
    fn of_source(&self, source: &str) -> usize {
        self.per_source.get(source).copied().unwrap_or(1)
    }
}

/// Runs every module. Returns what they returned, in their order, and the first error. A module starts when
/// its parents before it are done and its source has a free slot. After an error no module starts; those that
/// run are waited for.
pub async fn run_modules<T, E>(
    modules: &[&Definition],
    concurrency: &Concurrency<'_>,
    run: impl AsyncFn(&Definition) -> Result<T, E>,
) -> (Vec<T>, Result<(), E>) {
    let run = &run;
    let mut outcomes: Vec<Option<T>> = modules.iter().map(|_| None).collect();
    let mut waiting: Vec<usize> = (0..modules.len()).collect();
    let mut running: Vec<usize> = Vec::new();
    let mut under_way = FuturesUnordered::new();
    let mut failure = None;
    loop {
        while let Some(at) = waiting.iter().position(|next| {
            failure.is_none()
                && running.len() < concurrency.total
                && may_start(modules, concurrency, *next, &waiting, &running)
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

fn may_start(
    modules: &[&Definition],
    concurrency: &Concurrency<'_>,
    next: usize,
    waiting: &[usize],
    running: &[usize],
) -> bool {
    let source = modules[next].module.source.as_str();
    let taken = running
        .iter()
        .filter(|other| modules[**other].module.source == source);
    if taken.count() >= concurrency.of_source(source) {
        return false;
    }
    // Of two that are each other's parents, the first starts.
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
    ) -> (Vec<String>, (Vec<String>, Result<(), String>)) {
        let modules = fetcher::load_modules(&[]).expect("the modules that are compiled in");
        let definitions = Definitions::compile(&modules, "UTC").expect("definitions");
        let concurrency = Concurrency {
            total: 10,
            per_source: [("gazelle", at_once)].into(),
        };
        let said = RefCell::new(Vec::new());
        let ended = run_modules(
            &definitions.parents_first(),
            &concurrency,
            async |definition| {
                let name = definition.name().to_owned();
                said.borrow_mut().push(format!("{name} starts"));
                tokio::task::yield_now().await;
                said.borrow_mut().push(format!("{name} ends"));
                match name == fails {
                    true => Err(format!("{name} failed")),
                    false => Ok(name),
                }
            },
        )
        .await;
        (said.into_inner(), ended)
    }

    #[tokio::test]
    async fn a_module_starts_when_its_parents_have_ended_and_its_source_has_a_free_slot() {
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
            .flat_map(|name| [format!("{name} starts"), format!("{name} ends")])
            .collect();
        assert_eq!(trace(1, "").await.0, alone);
        let (said, ended) = trace(3, "").await;
        ended.1.expect("no error");
        assert_eq!(ended.0, order, "in their order, whoever ends first");
        let at = |what: &str| said.iter().position(|line| line == what).expect("a line");
        assert!(at("users ends") < at("clients starts"), "{said:?}");
        assert!(at("clients ends") < at("pianos starts"), "{said:?}");
        assert!(at("timeline starts") < at("appointments ends"), "{said:?}");
    }

    #[tokio::test]
    async fn after_an_error_nothing_starts_and_what_runs_is_waited_for() {
        let (said, ended) = trace(3, "timeline").await;
        assert_eq!(ended.1, Err("timeline failed".to_owned()));
        assert!(said.contains(&"appointments ends".to_owned()), "{said:?}");
        assert!(
            !said.contains(&"measurements starts".to_owned()),
            "{said:?}"
        );
    }
}
