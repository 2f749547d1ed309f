//! Where a `newest_first` read may stop.

use jiff::Timestamp;

use super::json::{raw_at, scalar};
use super::page::{Record, Selection};
use crate::modules::{FetchSpec, Path, Read};

/// What lies behind an instant is known, as long as records come newest first.
pub(super) struct Known<'m> {
    at: &'m Path,
    behind: Timestamp,
    before: Option<Timestamp>,
    is_sorted: bool,
}

impl<'m> Known<'m> {
    /// `None` where the read goes to the end.
    pub(super) fn behind(spec: &'m FetchSpec, selection: &Selection) -> Option<Self> {
        let newest = spec.newest_first.as_ref()?;
        let since = selection.since.as_ref()?;
        (spec.read == Read::NewestFirst).then_some(())?;
        Some(Self {
            at: &newest.at,
            behind: since.parse().ok()?,
            before: None,
            is_sorted: true,
        })
    }

    /// Whether these, of the next page, are nothing but records from before the instant, and all that came
    /// were sorted. A record without a time says nothing, so a page with one does not stop the read.
    pub(super) fn hold(&mut self, records: &[Record]) -> bool {
        let mut all = !records.is_empty();
        for record in records {
            let Some(at) = self.instant(record) else {
                all = false;
                continue;
            };
            if self.before.is_some_and(|before| before < at) && self.is_sorted {
                self.is_sorted = false;
                tracing::warn!(
                    record = record.source_id,
                    "records do not come newest first, so everything is read"
                );
            }
            self.before = Some(at);
            all &= at < self.behind;
        }
        all && self.is_sorted
    }

    fn instant(&self, record: &Record) -> Option<Timestamp> {
        let text = std::str::from_utf8(&record.json).ok()?;
        scalar(raw_at(text, self.at.segments())?)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_stops_at_a_page_of_known_records_and_only_while_they_are_sorted() {
        let day = |day: u8| format!(r#"{{"id":1,"at":"2026-05-{day:02}T00:00:00Z"}}"#);
        let unknown = r#"{"id":1}"#.to_owned();
        // (label, pages, the page at which the read stops)
        let cases = [
            (
                "older",
                vec![vec![day(20), day(12)], vec![day(9), day(8)]],
                Some(1),
            ),
            (
                "one is newer",
                vec![vec![day(12), day(9)], vec![day(8)]],
                Some(1),
            ),
            (
                "the very instant",
                vec![vec![day(10)], vec![day(9)]],
                Some(1),
            ),
            ("empty page", vec![vec![], vec![day(9)]], Some(1)),
            (
                "no time",
                vec![vec![day(9), unknown], vec![day(8)]],
                Some(1),
            ),
            (
                "unsorted",
                vec![vec![day(8), day(9)], vec![day(7)], vec![day(6)]],
                None,
            ),
            (
                "unsorted between pages",
                vec![vec![day(12)], vec![day(13)], vec![day(7)]],
                None,
            ),
            ("all new", vec![vec![day(20)], vec![day(11)]], None),
        ];
        let at = Path::parse(".at").unwrap();
        for (label, pages, expected) in cases {
            let mut known = Known {
                at: &at,
                behind: "2026-05-10T00:00:00Z".parse().unwrap(),
                before: None,
                is_sorted: true,
            };
            let stopped = pages.iter().position(|records| {
                let records = records.iter().map(|json| Record {
                    source_id: "1".to_owned(),
                    json: json.clone().into(),
                });
                known.hold(&records.collect::<Vec<_>>())
            });
            assert_eq!(stopped, expected, "{label}");
        }
    }
}
