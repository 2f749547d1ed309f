//! Timeline entries, with the columns by which two records of one entry are matched.

use super::payload::{self, CoreDateTime, Origin, source_query};
use crate::{Rejection, Row};
use list_timeline_entries::TimelineEntryType;
use serde::Serialize;
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use validator::Validate;

pub(super) use list_timeline_entries::ListTimelineEntriesAllTimelineEntriesNodes as Node;

source_query!(
    ListTimelineEntries,
    "../fetcher/modules/gazelle/timeline/query.graphql"
);

/// Columns whose names begin with `_` are used only for matching and are not in the contract.
#[derive(Serialize, Validate)]
struct TimelineEntry {
    #[validate(length(
        min = 1,
        code = "id_empty",
        message = "The record has an empty id; report it to the source."
    ))]
    id: String,
    client_id: Option<String>,
    piano_id: Option<String>,
    user_id: Option<String>,
    r#type: Option<TimelineEntryType>,
    occurred_at: Option<CoreDateTime>,
    summary: Option<String>,
    comment: Option<String>,
    duration_minutes: Option<i64>,
    invoice_id: Option<String>,
    estimate_id: Option<String>,
    appointment_id: Option<String>,
    related_id: Option<String>,
    related_type: Option<String>,
    _id_prefix: String,
    _piano: String,
    _text_digest: String,
}

const ORIGINS: &[Origin] = &[
    ("client_id", &["client.id"]),
    ("piano_id", &["piano.id"]),
    ("user_id", &["user.id"]),
    ("duration_minutes", &["duration"]),
    ("invoice_id", &["invoice.id"]),
    ("estimate_id", &["estimate.id"]),
    ("appointment_id", &["appointment.id"]),
    ("_id_prefix", &[]),
    ("_piano", &["piano.id"]),
    ("_text_digest", &["summary", "comment"]),
];

pub(super) fn transform(payload: &str) -> Result<Row, Rejection> {
    let object = payload::object(payload)?;
    let node: Node = payload::node(&object)?;
    payload::row(&entry(node), &object, ORIGINS)
}

fn entry(node: Node) -> TimelineEntry {
    let piano_id = node.piano.map(|piano| piano.id);
    TimelineEntry {
        _id_prefix: id_prefix(&node.id).to_owned(),
        _piano: piano_id.clone().unwrap_or_else(|| "none".to_owned()),
        _text_digest: text_digest(node.summary.as_deref(), node.comment.as_deref()),
        id: node.id,
        client_id: node.client.map(|client| client.id),
        piano_id,
        user_id: node.user.map(|user| user.id),
        r#type: node.type_,
        occurred_at: node.occurred_at,
        summary: node.summary,
        comment: node.comment,
        duration_minutes: node.duration,
        invoice_id: node.invoice.map(|invoice| invoice.id),
        estimate_id: node.estimate.map(|estimate| estimate.id),
        appointment_id: node.appointment.map(|appointment| appointment.id),
        related_id: node.related_id,
        related_type: node.related_type,
    }
}

/// The prefix before the first underscore: `tme` of `tme_0f…`.
fn id_prefix(id: &str) -> &str {
    id.split_once('_').map_or("", |(prefix, _)| prefix)
}

/// A digest of the text that ignores blanks, composed accents and which of the two fields holds the text.
fn text_digest(summary: Option<&str>, comment: Option<&str>) -> String {
    let mut digest = Sha256::new();
    for word in [summary, comment]
        .into_iter()
        .flatten()
        .flat_map(str::split_whitespace)
    {
        digest.update(word.nfkc().collect::<String>());
        digest.update(" ");
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_of_blanks_accents_and_field_do_not_change_the_digest() {
        let same = [
            (Some("Accordé à 440"), Some("très sec")),
            (Some("Accordé  à 440\n"), Some(" très sec ")),
            (Some("Accorde\u{301} a\u{300}\u{a0}440 très sec"), None),
            (None, Some("Accordé à 440 très sec")),
        ];
        let first = text_digest(same[0].0, same[0].1);
        for (summary, comment) in same {
            assert_eq!(
                text_digest(summary, comment),
                first,
                "{summary:?} {comment:?}"
            );
        }
        assert_ne!(text_digest(Some("Accordé à 442"), Some("très sec")), first);
        assert_ne!(
            text_digest(Some("ab c"), None),
            text_digest(Some("a bc"), None)
        );
    }

    #[test]
    fn the_prefix_ends_at_the_first_underscore() {
        for (id, prefix) in [
            ("tle_1a", "tle"),
            ("tme_2_b", "tme"),
            ("plain", ""),
            ("", ""),
        ] {
            assert_eq!(id_prefix(id), prefix);
        }
    }
}
