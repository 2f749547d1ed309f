//! One module that is not simply well.

use maud::{Markup, html};

use super::layout::{View, colour};
use crate::health::ModuleHealth;
use crate::status::Status;

/// The four answers of one module that is not simply well.
pub(super) fn card(view: &View<'_>, module: &ModuleHealth) -> Markup {
    let words = view.words;
    let status = (words.status)(module.status);
    html! {
        article class=(format!("card {}", colour(module.status))) id=(anchor(module)) {
            h3 { bdi { (module.name) } " " (view.badge(module.status)) }
            dl {
                @if let Some(since) = module.since { dt { (words.since) } dd { (view.moment(since)) } }
                dt { (words.why) }
                dd { (why(view, module)) }
                dt { (words.now) }
                dd {
                    p { (status.act) }
                    @for command in commands(module) { p { code { (command) } } }
                }
            }
        }
    }
}

fn why(view: &View<'_>, module: &ModuleHealth) -> Markup {
    let words = view.words;
    let (fetch, claim) = (module.fetch_gap, module.claim_gap);
    let waiting = &module.waiting;
    let set_aside = [
        (words.quarantined, waiting.quarantined),
        (words.parked, waiting.parked),
        (words.in_review, waiting.in_review),
    ];
    html! {
        @if module.status == Status::Failed && (fetch != 0 || claim != 0) {
            p { (words.gap) }
            @if fetch != 0 { p { (words.gap_fetched) (words.colon) (view.language.number(fetch)) } }
            @if claim != 0 { p { (words.gap_claimed) (words.colon) (view.language.number(claim)) } }
        } @else {
            p { ((words.status)(module.status).why) }
        }
        @if module.status == Status::OkQ {
            @for (label, count) in set_aside {
                @if count > 0 { p { (label) (words.colon) (view.language.number(count)) } }
            }
        }
        @if let Some(progress) = &module.progress {
            p {
                (words.progress) (words.colon)
                @if let Some(step) = &progress.step { (view.said(step)) ", " }
                (view.language.number(progress.pages)) " " (words.pages) ", "
                (view.language.number(progress.fetched)) " " (words.records)
                @if let Some(total) = progress.total_count { " / " (view.language.number(total)) }
                @if let Some(detail) = progress.detail.as_deref().filter(|detail| detail.contains(" / ")) { ", " (words.decided) " " (detail) }
                @if let Some(percent) = progress.percent { " (" (percent) "\u{a0}%)" }
            }
        }
        @if module.status > Status::OkQ && let Some(cause) = &module.cause {
            p.cause { (view.said(cause)) }
        }
    }
}

/// What to type, for the person the sentence asked to act.
fn commands(module: &ModuleHealth) -> Vec<String> {
    let run = format!("run_sync --module {}", module.name);
    let test = format!("concord source test {}", module.source);
    let aside = [
        (module.waiting.quarantined, "concord quarantine list"),
        (module.waiting.parked, "concord parking list"),
        (module.waiting.in_review, "concord status"),
    ];
    match module.status {
        Status::Ok | Status::Running => vec![],
        Status::OkQ => aside
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(_, command)| (*command).into())
            .collect(),
        Status::Waiting => vec![test],
        Status::Partial => vec![run, test],
        Status::Blocked => vec![
            "concord status".into(),
            "concord approve NUMBER --reason WHY".into(),
        ],
        Status::Never | Status::Late | Status::Cancelled | Status::Stuck | Status::Failed => {
            vec![run]
        }
        Status::Unknown => vec!["concord doctor".into()],
    }
}

/// Where the card of a module stands in the page.
pub(super) fn anchor(module: &ModuleHealth) -> String {
    format!("module-{}", module.name)
}
