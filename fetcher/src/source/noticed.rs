//! What was noticed of a module's answers, for whoever asks about its run afterwards.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::open::{Inner, Source};
use crate::failure::FetchError;

/// What of a module's answers is worth saying although it is no failure by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noticed {
    /// How many answers were the page before once more.
    pub repeated: u32,
    /// The last thing that came in place of an answer: its text without secrets, bounded.
    pub unusable: Option<String>,
}

/// By module.
#[derive(Default)]
pub(super) struct Notices(Mutex<BTreeMap<String, Noticed>>);

impl Notices {
    pub(super) fn note(&self, kind: &str, change: impl FnOnce(&mut Noticed)) {
        // Nested connections are of their module.
        let module = kind.split('.').next().unwrap_or(kind);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(module.to_owned()).or_default());
    }
}

impl Source {
    /// A page came once more in place of the next one.
    pub(crate) fn note_repeated(&self, module: &str) {
        self.0
            .shared
            .notices
            .note(module, |noticed| noticed.repeated += 1);
    }

    /// What was noticed of a module's answers since this was last asked.
    pub fn noticed(&self, module: &str) -> Noticed {
        let notices = &self.0.shared.notices.0;
        let mut all = notices.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(module).unwrap_or_default()
    }
}

/// Whether something came that is no answer of a GraphQL source.
pub(super) fn is_no_answer(failure: &FetchError) -> bool {
    matches!(
        failure,
        FetchError::Outage { .. } | FetchError::Refused { .. } | FetchError::Shape { .. }
    )
}

impl Inner {
    /// Keeps what came in place of an answer, for whoever asks about the run.
    pub(super) fn keep(&self, kind: &str, body: &[u8]) {
        let text = self.shared.redactor.whole(&String::from_utf8_lossy(body));
        let kept = (!text.is_empty()).then_some(text);
        self.shared
            .notices
            .note(kind, |noticed| noticed.unusable = kept);
    }
}
