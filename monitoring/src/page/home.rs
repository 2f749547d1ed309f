//! The page as a whole: the verdict, what needs attention, all modules.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::Language;
use super::table::modules_table;
use super::words::Words;
use crate::health::{Health, Instant, ModuleHealth};
use crate::status::Status;

/// What every part of the page needs to know.
pub(super) struct View<'a> {
    pub language: Language,
    pub words: &'static Words,
    pub zone: &'a TimeZone,
    pub now: Instant,
}

impl View<'_> {
    /// Icon and word of a status; the colour only repeats what they say.
    pub(super) fn badge(&self, status: Status) -> Markup {
        html! {
            span class=(format!("badge {}", colour(status))) {
                span.icon aria-hidden="true" { (icon(status)) }
                " " (((self.words.status)(status)).label)
            }
        }
    }

    /// A moment: how long ago, and on the clock; in UTC for whoever points at it.
    pub(super) fn moment(&self, at: Instant) -> Markup {
        html! {
            time datetime=(at.timestamp()) title=(at.timestamp()) {
                (self.language.ago(self.now.seconds_since(at)))
                " " span.clock { "(" (self.language.clock(at, self.zone)) ")" }
            }
        }
    }

    /// Text that others wrote, in English or in whatever language a source speaks.
    pub(super) fn foreign(&self, text: &str) -> Markup {
        html! { bdi lang="en" { (text) } }
    }
}

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
        @if !health.modules.is_empty() {
            section aria-labelledby="modules" {
                h2 #modules { (words.modules) }
                (modules_table(&view, &health.modules))
            }
        }
    };
    let verified = html! {
        p {
            (words.verified) " "
            time datetime=(view.now.timestamp()) title=(view.now.timestamp()) { (language.clock(view.now, zone)) }
            " (" (words.zone) " " (zone.iana_name().unwrap_or("UTC")) ")"
        }
    };
    layout(
        language,
        words,
        (words.status)(health.status).verdict,
        body,
        verified,
        version,
    )
}

/// The page for a database that did not answer.
pub(crate) fn away(version: &str, language: Language) -> Markup {
    let words = language.words();
    let status = (words.status)(Status::Unknown);
    let body = html! {
        section class=(format!("verdict {}", colour(Status::Unknown))) aria-labelledby="verdict" {
            h1 #verdict { span.icon aria-hidden="true" { (icon(Status::Unknown)) } " " (status.verdict) }
            dl {
                dt { (words.why) } dd { (words.away) }
                dt { (words.now) } dd { (status.act) " " code { "concord doctor" } }
            }
        }
    };
    layout(language, words, status.verdict, body, html! {}, version)
}

fn layout(
    language: Language,
    words: &Words,
    heading: &str,
    body: Markup,
    verified: Markup,
    version: &str,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (heading) " · Concord" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                a.skip href="#content" { (words.skip) }
                header {
                    p.brand { strong { "Concord" } " " span { (words.title) } }
                    nav aria-label=(words.languages) {
                        @for other in Language::ALL {
                            a href=(format!("/?lang={}", other.tag())) lang=(other.tag()) hreflang=(other.tag())
                                aria-current=[(other == language).then_some("true")] {
                                (other.words().this_language)
                            }
                        }
                    }
                }
                main #content tabindex="-1" { (body) }
                footer {
                    (verified)
                    p { a href=(format!("/?lang={}", language.tag())) { (words.again) } }
                    p {
                        (words.machines) (words.colon)
                        a href="/api/v1/health" { "/api/v1/health" } ", "
                        a href="/metrics" { "/metrics" } ", "
                        a href="/readyz?verbose" { "/readyz" }
                    }
                    p { "Concord " (version) }
                }
            }
        }
    }
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
            h1 #verdict { span.icon aria-hidden="true" { (icon(health.status)) } " " (status.verdict) }
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
            }
        }
    }
}

/// The four answers of one module that is not simply well.
fn card(view: &View<'_>, module: &ModuleHealth) -> Markup {
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
    html! {
        @if module.status == Status::Failed && (fetch != 0 || claim != 0) {
            p { (words.gap) }
            @if fetch != 0 { p { (words.gap_fetched) (words.colon) (view.language.number(fetch)) } }
            @if claim != 0 { p { (words.gap_claimed) (words.colon) (view.language.number(claim)) } }
        } @else {
            p { ((words.status)(module.status).why) }
        }
        @if let Some(progress) = &module.progress {
            p {
                (words.progress) (words.colon)
                @if let Some(step) = &progress.step { (view.foreign(step)) ", " }
                (view.language.number(progress.pages)) " " (words.pages) ", "
                (view.language.number(progress.fetched)) " " (words.records)
                @if let Some(total) = progress.total_count { " / " (view.language.number(total)) }
            }
        }
        @if module.status > Status::OkQ && let Some(cause) = &module.cause {
            p.cause { (view.foreign(cause)) }
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
        (module.waiting.in_review, "concord review"),
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
        Status::Blocked => vec!["concord approve".into()],
        Status::Never | Status::Late | Status::Cancelled | Status::Stuck | Status::Failed => {
            vec![run]
        }
        Status::Unknown => vec!["concord doctor".into()],
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

/// Where the card of a module stands in the page.
fn anchor(module: &ModuleHealth) -> String {
    format!("module-{}", module.name)
}

fn icon(status: Status) -> &'static str {
    match status {
        Status::Ok => "✓",
        Status::OkQ => "✓!",
        Status::Running => "↻",
        Status::Waiting => "⏳\u{fe0e}",
        Status::Never | Status::Unknown => "?",
        Status::Late => "◷",
        Status::Cancelled => "■",
        Status::Partial => "◐",
        Status::Blocked => "✋\u{fe0e}",
        Status::Stuck | Status::Failed => "✕",
    }
}

fn colour(status: Status) -> &'static str {
    match status {
        Status::Ok => "green",
        Status::OkQ => "olive",
        Status::Running | Status::Waiting => "blue",
        Status::Never | Status::Unknown => "grey",
        Status::Late | Status::Cancelled | Status::Partial => "amber",
        Status::Blocked => "violet",
        Status::Stuck | Status::Failed => "red",
    }
}
