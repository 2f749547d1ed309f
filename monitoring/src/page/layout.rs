//! What surrounds the content of every page, and the small parts that all of it uses.

use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::icons::icon;
use super::words::Words;
use super::{Language, causes};
use crate::health::Instant;
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
                (icon(status))
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

    /// A cause or a step in the visitor's language, where it is one of ours; a cause keeps its own words
    /// behind it, since they hold numbers and names.
    pub(super) fn said(&self, text: &str) -> Markup {
        match (self.language, causes::in_french(text)) {
            (Language::French, Some(french)) if causes::is_step(text) => html! { (french) },
            (Language::French, Some(french)) => html! { (french) " " (self.foreign(text)) },
            _ => self.foreign(text),
        }
    }

    /// Text that others wrote, in English or in whatever language a source speaks.
    pub(super) fn foreign(&self, text: &str) -> Markup {
        html! { bdi lang="en" { (text) } }
    }
}

/// A whole page around `body`.
pub(super) fn layout(language: Language, heading: &str, body: Markup, version: &str) -> Markup {
    let words = language.words();
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

/// The class that gives a part the colour of a status.
pub(super) fn colour(status: Status) -> &'static str {
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::STYLE;

    /// The colours of one `:root` block, by name.
    fn palette(block: &str) -> HashMap<&str, [f64; 3]> {
        let block = block.split('}').next().unwrap_or("");
        let declared = block
            .split(';')
            .filter_map(|declaration| declaration.split_once(": #"));
        declared
            .map(|(name, value)| {
                let channel =
                    |at: usize| u8::from_str_radix(&value[at..at + 2], 16).expect("a colour");
                (
                    name.trim(),
                    [0, 2, 4].map(|at| f64::from(channel(at)) / 255.0),
                )
            })
            .collect()
    }

    /// Relative luminance, as WCAG 2.2 defines it.
    fn luminance(colour: [f64; 3]) -> f64 {
        let linear = colour.map(|c| {
            if c <= 0.04045 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    #[test]
    fn every_text_colour_can_be_read_in_both_themes() {
        let themes: Vec<_> = STYLE.split(":root {").skip(1).map(palette).collect();
        assert_eq!(themes.len(), 2);
        for theme in themes {
            for text in [
                "--ink", "--soft", "--link", "--green", "--olive", "--blue", "--amber", "--violet",
                "--red", "--grey",
            ] {
                for ground in ["--page", "--paper"] {
                    let (a, b) = (luminance(theme[text]), luminance(theme[ground]));
                    let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                    assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
                }
            }
        }
    }
}
