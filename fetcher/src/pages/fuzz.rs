//! Any bytes as an answer, any text as a cursor: nothing panics, and what is promised of them holds.

use bytes::Bytes;

use super::divided;
use super::page::Cursor;
use super::position::Position;
use super::slice::{slice, source_id};
use crate::modules::{Module, Style};

/// Cuts the bytes as an answer to each module's query. Every record is JSON of its own and has a name.
pub fn answer(modules: &[Module], bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    for module in modules {
        let Ok(found) = slice(&body, &module.fetch) else {
            continue;
        };
        let Some(cut) = found.data else { continue };
        assert!(cut.records.len() + cut.nulls.len() <= body.len());
        for (_, record) in &cut.records {
            let text = std::str::from_utf8(record).expect("a record is text");
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert!(is_json, "{text}");
            let name = source_id(record, &module.fetch.id).unwrap_or_else(|made| made);
            assert!(!name.is_empty(), "{text}");
        }
        for style in [Style::Relay, Style::Offset, Style::Page, Style::List] {
            let Ok(start) = Position::begin(&module.fetch.paging, None) else {
                continue;
            };
            let _ = start.after(style, &cut);
        }
    }
}

/// Begins at the text as a stored cursor of each style. What is begun at is stored as it came, or another
/// spelling of the same number.
pub fn cursor(modules: &[Module], bytes: &[u8]) {
    let stored = Cursor(String::from_utf8_lossy(bytes).into_owned());
    divided::fuzz(stored.0.trim_start_matches("divided:"));
    for style in [Style::Relay, Style::Offset, Style::Page, Style::List] {
        let Some(first) = modules.first() else { return };
        let paging = crate::modules::Paging {
            style,
            ..first.fetch.paging.clone()
        };
        let Ok(position) = Position::begin(&paging, Some(&stored)) else {
            continue;
        };
        let again = Position::begin(&paging, position.cursor().as_ref());
        assert_eq!(again.as_ref(), Ok(&position));
        for size in [0, 1, 7, u32::MAX] {
            let _ = position.among(&paging, size);
        }
    }
}
