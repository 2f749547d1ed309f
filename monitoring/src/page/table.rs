//! The table of all modules.
//!
//! On a narrow screen its rows become blocks. Browsers then forget that it is a table, so the roles say it
//! again.

use maud::{Markup, html};

use super::layout::View;
use crate::health::ModuleHealth;

pub(super) fn modules_table(view: &View<'_>, modules: &[ModuleHealth]) -> Markup {
    let words = view.words;
    let columns = [
        words.module,
        words.state,
        words.last_complete,
        words.rows,
        words.pending,
        words.quarantined,
        words.parked,
        words.in_review,
        words.approvals,
    ];
    html! {
        table role="table" {
            caption role="caption" { (words.caption) }
            thead role="rowgroup" {
                tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
            }
            tbody role="rowgroup" { @for module in modules { (row(view, module)) } }
        }
    }
}

fn row(view: &View<'_>, module: &ModuleHealth) -> Markup {
    let words = view.words;
    let waiting = &module.waiting;
    let counts = [
        (words.pending, module.records_pending),
        (words.quarantined, waiting.quarantined),
        (words.parked, waiting.parked),
        (words.in_review, waiting.in_review),
        (words.approvals, waiting.approvals),
    ];
    html! {
        tr role="row" {
            th scope="row" role="rowheader" {
                bdi { (module.name) } " " span.source { bdi { (module.source) } }
            }
            td role="cell" data-label=(words.state) { div { (view.badge(module.status)) (remarks(view, module)) } }
            td role="cell" data-label=(words.last_complete) {
                @match module.last_sync {
                    Some(at) => (view.moment(at)),
                    None => (words.never),
                }
                // A module that reads what is new has two ages.
                @if let Some(full) = module.last_full.filter(|full| Some(*full) != module.last_sync) {
                    div.remark { (words.last_full) " " (view.moment(full)) }
                }
            }
            td.number role="cell" data-label=(words.rows) {
                @match module.rows {
                    Some(rows) => {
                        @if !rows.exact { abbr title=(words.about) { "≈" } " " }
                        (view.language.number(rows.count))
                    }
                    None => { span aria-hidden="true" { "–" } span.hidden { (words.none) } }
                }
            }
            @for (label, count) in counts {
                td.number.waits[count > 0] role="cell" data-label=(label) { (view.language.number(count)) }
            }
        }
    }
}

/// What a person should know beside the state: open questions, and the last failure even when it is over.
fn remarks(view: &View<'_>, module: &ModuleHealth) -> Markup {
    let words = view.words;
    let open = [
        (words.conflicts, module.waiting.conflicts),
        (words.tasks, module.waiting.tasks),
    ];
    html! {
        @for (label, count) in open {
            @if count > 0 { p.remark { (label) (words.colon) (view.language.number(count)) } }
        }
        @if let Some(failure) = &module.last_failure {
            details.remark {
                summary {
                    (words.last_failure)
                    @if let Some(at) = failure.finished_at { " " (view.language.ago(view.now.seconds_since(at))) }
                }
                p { (words.run) " " (failure.run_id) ", " (failure.state) }
                @if let Some(cause) = &failure.cause { p.cause { (view.foreign(cause)) } }
            }
        }
    }
}
