//! Inserts separately read elements into a record's text.

use std::collections::BTreeMap;
use std::ops::Range;

use super::json::raw_at;
use crate::modules::path::Path;

/// The position of a slice in the text it was cut from.
pub(super) fn place_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// A range of the record's text and its replacement.
pub(super) struct Edit {
    pub place: Range<usize>,
    pub with: String,
}

/// Edits that append to the connection's lists and set `hasNextPage` to false.
pub(super) fn edits(
    record: &str,
    place: &Range<usize>,
    added: &BTreeMap<&str, Vec<String>>,
) -> Vec<Edit> {
    let connection = &record[place.clone()];
    let mut edits = Vec::new();
    for (key, elements) in added {
        let Some(list) = raw_at(connection, &[(*key).to_owned()]) else {
            continue;
        };
        if elements.is_empty() || !list.starts_with('[') {
            continue;
        }
        let end = place_in(record, list).end - 1;
        let empty = list[1..list.len() - 1].trim().is_empty();
        let comma = if empty { "" } else { "," };
        edits.push(Edit {
            place: end..end,
            with: format!("{comma}{}", elements.join(",")),
        });
    }
    let more = ["pageInfo".to_owned(), "hasNextPage".to_owned()];
    if let Some(more) = raw_at(connection, &more) {
        edits.push(Edit {
            place: place_in(record, more),
            with: "false".to_owned(),
        });
    }
    edits
}

pub(super) fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.place.start));
    let mut whole = text.to_owned();
    for edit in edits {
        whole.replace_range(edit.place, &edit.with);
    }
    whole
}

/// Adds a value under the last name of the path, at the end of the object that lacks it.
pub(super) fn insertion(record: &str, object: &Range<usize>, at: &Path, value: &str) -> Edit {
    let key = serde_json::to_string(&at.segments().last()).unwrap_or_default();
    let end = object.end - 1;
    let empty = record[object.start + 1..end].trim().is_empty();
    let comma = if empty { "" } else { "," };
    Edit {
        place: end..end,
        with: format!("{comma}{key}:{value}"),
    }
}
