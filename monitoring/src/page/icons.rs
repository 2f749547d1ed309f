//! The icon of each status, drawn here because fonts lack half of the characters that would do.

use maud::{Markup, html};

use crate::status::Status;

/// The icon, in the colour of the text around it. The word beside it says the same to those who hear the
/// page.
pub(super) fn icon(status: Status) -> Markup {
    html! {
        svg.icon viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            @for path in paths(status) { path d=(path) {} }
        }
    }
}

fn paths(status: Status) -> &'static [&'static str] {
    const CIRCLE: &str = "M8 2a6 6 0 1 1 0 12a6 6 0 1 1 0-12z";
    match status {
        Status::Ok => &["M2.5 8.5l4 4l7-9"],
        Status::OkQ => &["M1.5 8.5l3.5 4l5.5-9", "M13.5 3.5v5.5", "M13.5 12.2v.3"],
        Status::Running => &["M13.5 8a5.5 5.5 0 1 1-1.8-4.1", "M12.3 1v3.2h-3.2"],
        Status::Waiting => &[
            "M3.5 2h9",
            "M3.5 14h9",
            "M4.5 2c0 3 3.5 4 3.5 6s-3.5 3-3.5 6",
            "M11.5 2c0 3-3.5 4-3.5 6s3.5 3 3.5 6",
        ],
        Status::Never | Status::Unknown => {
            &["M5 5.5a3 3 0 1 1 4.3 2.7c-1 .5-1.3 1-1.3 2.1", "M8 13.2v.3"]
        }
        Status::Late => &[CIRCLE, "M8 4.5v3.5l2.5 1.5"],
        Status::Cancelled => &["M3.5 3.5h9v9h-9z"],
        Status::Partial => &[CIRCLE, "M8 2v12", "M6 3v10", "M4 4.5v7"],
        Status::Blocked => &[
            "M5.5 2h5l3.5 3.5v5l-3.5 3.5h-5l-3.5-3.5v-5z",
            "M8 4.8v4",
            "M8 11.2v.2",
        ],
        Status::Stuck | Status::Failed => &["M3 3l10 10", "M13 3l-10 10"],
    }
}
