//! What is no trouble yet, and becomes one if nobody looks.

use maud::{Markup, html};

use super::layout::View;
use crate::health::Health;

/// Credentials that end soon, and what sources have gained that no module uses; nothing where there is
/// neither.
pub(super) fn notices(view: &View<'_>, health: &Health) -> Markup {
    let words = view.words;
    let ending = || {
        let soon = health
            .sources
            .iter()
            .filter(|(_, source)| source.credentials_end_soon);
        soon.filter_map(|(name, source)| Some((name, source.credentials_end?)))
    };
    let grown = || {
        let modules = health.modules.iter();
        modules.filter(|module| !module.new_at_source.is_empty())
    };
    html! {
        @if ending().next().is_some() || grown().next().is_some() {
            section aria-labelledby="notices" {
                h2 #notices { (words.notices) }
                ul {
                    @for (name, end) in ending() {
                        li {
                            bdi { (name) } (words.colon) (words.credentials_end) " "
                            time datetime=(end.timestamp()) title=(end.timestamp()) { (view.language.clock(end, view.zone)) }
                            ". " (words.renew)
                        }
                    }
                    @for module in grown() {
                        li {
                            bdi { (module.name) } (words.colon) (words.new_at_source) " "
                            (view.foreign(&module.new_at_source.join("; "))) "."
                        }
                    }
                }
            }
        }
    }
}
