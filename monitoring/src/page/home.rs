//! The page as a whole: the verdict, what needs attention, all modules.

use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::Language;
use super::card::{anchor, card};
use super::icons::icon;
use super::layout::{View, colour, layout};
use super::notices::notices;
use super::table::modules_table;
use crate::health::{Health, ModuleHealth};
use crate::status::Status;

/// The page for a database that answered.
pub(crate) fn home(health: &Health, version: &str, language: Language, zone: &TimeZone) -> Markup {
    let view = View {
        language,
        words: language.words(),
        zone,
        now: health.verified_at,
    };
    let words = view.words;
    let troubled: Vec<&ModuleHealth> = worst_first(health);
    let body = html! {
        (verdict(&view, health))
        @if !troubled.is_empty() {
            section aria-labelledby="attention" {
                h2 #attention { (words.attention) }
                ul.cards { @for module in troubled { li { (card(&view, module)) } } }
            }
        }
        (notices(&view, health))
        @if !health.modules.is_empty() {
            section aria-labelledby="modules" {
                h2 #modules { (words.modules) }
                (modules_table(&view, &health.modules))
            }
        }
    };
    layout(
        language,
        (words.status)(health.status).verdict,
        body,
        version,
    )
}

/// The page for a database that did not answer.
pub(crate) fn away(version: &str, language: Language) -> Markup {
    let words = language.words();
    let status = (words.status)(Status::Unknown);
    let body = html! {
        section class=(format!("verdict {}", colour(Status::Unknown))) aria-labelledby="verdict" {
            h1 #verdict { (icon(Status::Unknown)) " " (status.verdict) }
            dl {
                dt { (words.why) } dd { (words.away) }
                dt { (words.now) }
                dd {
                    p { (status.act) }
                    p { code { "concord doctor" } }
                    p { a href=(format!("/?lang={}", language.tag())) { (words.again) } }
                }
            }
        }
    };
    layout(language, status.verdict, body, version)
}

/// The four answers over all modules.
fn verdict(view: &View<'_>, health: &Health) -> Markup {
    let words = view.words;
    let status = (words.status)(health.status);
    let concerned = || {
        health
            .modules
            .iter()
            .filter(|module| module.status == health.status)
    };
    // The oldest trouble counts; but all is well only since the last module became well.
    let since = match health.status {
        Status::Ok => concerned().filter_map(|module| module.since).max(),
        _ => concerned().filter_map(|module| module.since).min(),
    };
    html! {
        section class=(format!("verdict {}", colour(health.status))) aria-labelledby="verdict" {
            h1 #verdict { (icon(health.status)) " " (status.verdict) }
            dl {
                @if let Some(since) = since { dt { (words.since) } dd { (view.moment(since)) } }
                dt { (words.why) }
                dd {
                    @if health.modules.is_empty() { (words.no_modules) }
                    @else if health.status == Status::Ok { (status.why) }
                    @else {
                        @for (place, module) in concerned().enumerate() {
                            @if place > 0 { ", " }
                            a href=(format!("#{}", anchor(module))) { bdi { (module.name) } }
                        }
                        (words.colon) (status.why)
                    }
                }
                dt { (words.now) }
                dd { (status.act) }
                dt { (words.verified) }
                dd {
                    time datetime=(view.now.timestamp()) title=(view.now.timestamp()) {
                        (view.language.clock(view.now, view.zone))
                    }
                    " (" (words.zone) " " (view.zone.iana_name().unwrap_or("UTC")) ") "
                    a href=(format!("/?lang={}", view.language.tag())) { (words.again) }
                }
            }
        }
    }
}

fn worst_first(health: &Health) -> Vec<&ModuleHealth> {
    let mut troubled: Vec<&ModuleHealth> = health
        .modules
        .iter()
        .filter(|module| module.status != Status::Ok)
        .collect();
    troubled.sort_by_key(|module| std::cmp::Reverse(module.status));
    troubled
}
