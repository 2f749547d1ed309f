//! What was noticed of a module's answers, for whoever asks about its run afterwards.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::failure::error::{FetchError, FetchErrorKind};

/// What of a module's answers is worth saying although it is no failure by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDiagnostics {
    /// How many answers were the page before once more.
    pub repeated: u32,
    /// The last thing that came in place of an answer: its text without secrets, bounded.
    pub unusable: Option<String>,
}

/// By module.
#[derive(Default)]
pub(super) struct DiagnosticsByModule(Mutex<BTreeMap<String, ResponseDiagnostics>>);

impl DiagnosticsByModule {
    pub(super) fn note(&self, kind: &str, change: impl FnOnce(&mut ResponseDiagnostics)) {
        // Nested connections are of their module.
        let module = kind.split('.').next().unwrap_or(kind);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(module.to_owned()).or_default());
    }

    pub(super) fn take(&self, module: &str) -> ResponseDiagnostics {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(module).unwrap_or_default()
    }
}

/// Whether something came that is no answer of a GraphQL source.
pub(super) fn is_no_answer(failure: &FetchError) -> bool {
    matches!(
        failure.kind,
        FetchErrorKind::Outage { .. }
            | FetchErrorKind::Refused { .. }
            | FetchErrorKind::Shape { .. }
    )
}
