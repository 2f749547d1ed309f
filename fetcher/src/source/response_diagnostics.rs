//! Anomalies in a module's responses, to be stored with its run.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::failure::error::{FetchError, FetchErrorKind};

/// Anomalies in a module's responses that are no failures by themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDiagnostics {
    /// How many responses repeated the previous page.
    pub repeated: u32,
    /// The last unusable response: its text without secrets, bounded.
    pub unusable: Option<String>,
}

/// By module.
#[derive(Default)]
pub(super) struct DiagnosticsByModule(Mutex<BTreeMap<String, ResponseDiagnostics>>);

impl DiagnosticsByModule {
    pub(super) fn note(&self, kind: &str, change: impl FnOnce(&mut ResponseDiagnostics)) {
        // Nested connections belong to their module.
        let module = kind.split('.').next().unwrap_or(kind);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(module.to_owned()).or_default());
    }

    pub(super) fn take(&self, module: &str) -> ResponseDiagnostics {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(module).unwrap_or_default()
    }
}

/// Whether a response came that is not GraphQL.
pub(super) fn is_no_answer(failure: &FetchError) -> bool {
    matches!(
        failure.kind,
        FetchErrorKind::Outage { .. }
            | FetchErrorKind::Refused { .. }
            | FetchErrorKind::Shape { .. }
    )
}
