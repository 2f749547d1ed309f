//! A stream read as several parts side by side: what each part asks for, whose a record is, and the one
//! cursor of all.
//!
//! Each part asks a little beyond its ends and keeps the records whose own value lies within them. So every
//! record belongs to exactly one part, whatever the source means by "from" and "up to".

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json::{raw_at, scalar};
use super::page::{Cursor, Record, Selection};
use super::position::Stuck;
use crate::modules::{Divide, FetchSpec, Scale};

/// What a stored cursor of a divided stream begins with.
const MARK: &str = "divided:";

/// Where a divided stream stands: the values at which it is cut, and the place of each part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Places {
    cuts: Vec<i64>,
    parts: Vec<Place>,
}

/// The place of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Start,
    After(String),
    End,
}

/// One part of a divided stream.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Counts from 1.
    pub number: usize,
    divide: Divide,
    low: Option<i64>,
    high: Option<i64>,
}

/// Where a stream begins or goes on; `None` for one that is read as a whole. A stream goes on as it began. A
/// second look is never divided, so that it also meets what belongs to no part.
pub(super) fn places(
    spec: &FetchSpec,
    selection: &Selection,
    from: Option<&Cursor>,
) -> Result<Option<Places>, Stuck> {
    let stored = from.and_then(|cursor| cursor.0.strip_prefix(MARK));
    match (&spec.divide, stored, from) {
        (Some(_), Some(stored), _) => Places::read(stored).map(Some).ok_or(Stuck::BadCursor),
        (None, Some(_), _) => Err(Stuck::BadCursor),
        (Some(divide), None, None) if selection.page_size.is_none() => {
            Ok(Places::of(divide, range(spec, divide, selection)))
        }
        _ => Ok(None),
    }
}

/// From where to where the parts are measured: the range that is asked for, as far as it is one of the same
/// variables.
fn range(spec: &FetchSpec, divide: &Divide, selection: &Selection) -> (i64, i64) {
    let (since, until, _) = spec.range();
    let bound = |variable: Option<&str>, of: &str, value: &Option<String>| {
        let value = value.as_deref().filter(|_| variable == Some(of));
        value.and_then(|value| divide.scale.read(value))
    };
    let from = bound(since, &divide.variable, &selection.since);
    let to = bound(until, &divide.until, &selection.until).or(divide.to);
    (
        from.unwrap_or(divide.from),
        to.unwrap_or_else(|| Timestamp::now().as_second()),
    )
}

impl Places {
    /// Parts of equal width; `None` where there is not enough to divide.
    fn of(divide: &Divide, (from, to): (i64, i64)) -> Option<Self> {
        let width = i128::from(to) - i128::from(from);
        let enough = width / (8 * i128::from(divide.scale.step()));
        let into = enough.min(i128::from(divide.into));
        let cut = |n: i128| {
            let cut = from.saturating_add(i64::try_from(width * n / into).unwrap_or(i64::MAX));
            match divide.scale {
                Scale::Date => cut - cut.rem_euclid(86_400),
                Scale::Instant | Scale::Number => cut,
            }
        };
        (into > 1).then(|| Self {
            cuts: (1..into).map(cut).collect(),
            parts: (0..into).map(|_| Place::Start).collect(),
        })
    }

    fn read(stored: &str) -> Option<Self> {
        let places: Self = serde_json::from_str(stored).ok()?;
        let ascending = places.cuts.windows(2).all(|two| two[0] < two[1]);
        let fits = places.parts.len() > 1 && places.parts.len() == places.cuts.len() + 1;
        (ascending && fits && places.cursor().is_some()).then_some(places)
    }

    /// The stored form; `None` once every part is at its end.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        let stored = serde_json::to_string(self).ok()?;
        let ended = self.parts.iter().all(|place| *place == Place::End);
        (!ended).then(|| Cursor(format!("{MARK}{stored}")))
    }

    /// The parts that are not at their end, and where each goes on.
    pub(super) fn open(&self, divide: &Divide) -> Vec<(Part, Option<Cursor>)> {
        let mut open = Vec::new();
        for (index, place) in self.parts.iter().enumerate() {
            let from = match place {
                Place::Start => None,
                Place::After(cursor) => Some(Cursor(cursor.clone())),
                Place::End => continue,
            };
            let part = Part {
                number: index + 1,
                divide: divide.clone(),
                low: index.checked_sub(1).map(|below| self.cuts[below]),
                high: self.cuts.get(index).copied(),
            };
            open.push((part, from));
        }
        open
    }

    /// Moves a part behind a page that is handed over.
    pub(super) fn move_on(&mut self, number: usize, next: Option<Cursor>) {
        self.parts[number - 1] = next.map_or(Place::End, |cursor| Place::After(cursor.0));
    }
}

impl Part {
    /// Sets the query's variables for its ends. At the outermost ends they stay what the selection makes
    /// them.
    pub(super) fn fill(&self, variables: &mut Map<String, Value>) {
        let Divide { scale, .. } = self.divide;
        let ends = [
            (
                &self.divide.variable,
                self.low.map(|low| low.saturating_sub(scale.step())),
            ),
            (
                &self.divide.until,
                self.high.map(|high| high.saturating_add(scale.step())),
            ),
        ];
        for (variable, value) in ends {
            if let Some(value) = value {
                variables.insert(variable.clone(), scale.write(value));
            }
        }
    }

    /// The records that belong here, and not to a part beside; or why the division cannot be right.
    pub(super) fn own(&self, mut records: Vec<Record>) -> Result<Vec<Record>, String> {
        let mut fault = None;
        records.retain(|record| match self.has(record) {
            Ok(has) => has,
            Err(problem) => {
                fault.get_or_insert(problem);
                false
            }
        });
        fault.map_or(Ok(records), Err)
    }

    /// Whether the record belongs here. One without a value stays: the count shows whether
    /// such records came in every part or in none.
    fn has(&self, record: &Record) -> Result<bool, String> {
        let Divide { at, scale, .. } = &self.divide;
        let text = std::str::from_utf8(&record.json).unwrap_or_default();
        let Some(found) = raw_at(text, at.segments()).and_then(scalar) else {
            return Ok(true);
        };
        let Some(value) = scale.read(&found) else {
            return Err(format!(
                "`divide` measures by `.{at}`, and of record {} it is nothing to measure by; correct `at` or `as`, or leave `divide` out",
                record.source_id
            ));
        };
        let far = scale.step() + scale.slack();
        let beyond = self.low.is_some_and(|low| value < low.saturating_sub(far))
            || self
                .high
                .is_some_and(|high| value > high.saturating_add(far));
        if beyond {
            return Err(format!(
                "record {} lies outside of what part {} asked for by `${}` and `${}`, so the source does not go by `.{at}` there; correct `divide`, or leave it out",
                record.source_id, self.number, self.divide.variable, self.divide.until
            ));
        }
        Ok(self.low.is_none_or(|low| low <= value) && self.high.is_none_or(|high| value < high))
    }
}

/// Any text as a stored cursor of a divided stream: what is gone on at is stored as the same again.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(stored: &str) {
    let Some(places) = Places::read(stored) else {
        return;
    };
    let again = places.cursor().expect("a place to go on at");
    let again = again.0.strip_prefix(MARK).and_then(Places::read);
    assert_eq!(again, Some(places));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::Path;

    fn divide(into: u16, scale: Scale) -> Divide {
        Divide {
            into,
            at: Path::parse(".at").unwrap(),
            variable: "from".to_owned(),
            until: "to".to_owned(),
            scale,
            from: 0,
            to: None,
        }
    }

    fn record(at: &str) -> Record {
        Record {
            source_id: "1".to_owned(),
            json: format!(r#"{{"id":1,"at":{at}}}"#).into(),
        }
    }

    #[test]
    fn every_value_belongs_to_one_part_however_the_source_counts_its_ends() {
        let days = |day: i64| day * 86_400;
        for (scale, width) in [
            (Scale::Number, 1_000),
            (Scale::Instant, days(2)),
            (Scale::Date, days(400)),
        ] {
            let divide = divide(4, scale);
            let places = Places::of(&divide, (-7, width)).unwrap();
            let parts = places.open(&divide);
            assert_eq!(parts.len(), 4, "{scale:?}");
            let cuts = &places.cuts;
            let beside = cuts.iter().flat_map(|cut| [cut - 1, *cut, cut + 1]);
            for value in beside.chain([-1_000, 0, width, width * 2]) {
                let text = match scale {
                    Scale::Number => value.to_string(),
                    _ => Scale::Instant.write(value).to_string(),
                };
                let near = |part: &&(Part, _)| {
                    let far = scale.step();
                    part.0.low.is_none_or(|low| value > low - far)
                        && part.0.high.is_none_or(|high| value < high + far)
                };
                // Of the parts whose question gives it, even where both ends are left out, one has it.
                let has = parts.iter().filter(near);
                let has = has.filter(|part| part.0.has(&record(&text)).unwrap());
                assert_eq!(has.count(), 1, "{scale:?} {value} of {cuts:?}");
            }
        }
    }

    #[test]
    fn what_is_too_little_to_divide_is_read_as_a_whole() {
        for (scale, width, into) in [
            (Scale::Number, 7, None),
            (Scale::Number, 16, Some(2)),
            (Scale::Instant, -5, None),
            (Scale::Date, 86_400 * 20, None),
            (Scale::Date, 86_400 * 50, Some(3)),
        ] {
            let places = Places::of(&divide(4, scale), (100, 100 + width));
            let parts = places.map(|places| places.parts.len());
            assert_eq!(parts, into, "{scale:?} {width}");
        }
    }

    #[test]
    fn a_cursor_holds_the_place_of_every_part() {
        let divide = divide(3, Scale::Number);
        let mut places = Places::of(&divide, (0, 300)).unwrap();
        places.move_on(2, Some(Cursor("é\"\0".to_owned())));
        places.move_on(3, None);
        let stored = places.cursor().unwrap();
        let again = Places::read(stored.0.strip_prefix(MARK).unwrap()).unwrap();
        assert_eq!(again, places);
        let open: Vec<_> = again
            .open(&divide)
            .into_iter()
            .map(|(part, from)| (part.number, part.low, part.high, from))
            .collect();
        let after = Cursor("é\"\0".to_owned());
        assert_eq!(
            open,
            [
                (1, None, Some(100), None),
                (2, Some(100), Some(200), Some(after))
            ]
        );
        places.move_on(1, None);
        places.move_on(2, None);
        assert_eq!(places.cursor(), None, "every part is at its end");
        for damaged in [
            "",
            "{}",
            r#"{"cuts":[],"parts":["start"]}"#,
            r#"{"cuts":[1],"parts":["start"]}"#,
            r#"{"cuts":[2,1],"parts":["start","start","start"]}"#,
            r#"{"cuts":[1],"parts":["end","end"]}"#,
        ] {
            assert_eq!(Places::read(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn a_record_far_beyond_what_was_asked_for_is_told() {
        let divide = divide(2, Scale::Instant);
        let places = Places::of(&divide, (0, 86_400 * 100)).unwrap();
        let (first, _) = &places.open(&divide)[0];
        let told = first.has(&record("\"1999-01-01T00:00:00Z\"")).unwrap_err();
        assert!(told.contains("`$from` and `$to`"), "{told}");
        let told = first.has(&record("\"soon\"")).unwrap_err();
        assert!(told.contains("correct `at`"), "{told}");
        assert!(first.has(&record("null")).unwrap());
    }
}
