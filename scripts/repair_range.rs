//! The range that `--mode repair` reads, checked before anything is opened.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use reconciler::Definition;
use reconciler::local_day::zone_named;
use runner::ReadRange;

use crate::arguments::{Arguments, Mode};
use crate::process::UsageError;

/// A range of instants in the form that sources accept.
#[derive(Debug, PartialEq, Eq)]
pub struct RepairRange {
    since: String,
    until: Option<String>,
}

impl RepairRange {
    /// The range asked for; `None` in the other modes.
    pub fn of(
        arguments: &Arguments,
        zone: &str,
        chosen: &[&Definition],
    ) -> anyhow::Result<Option<Self>> {
        let (Some(since), Mode::Repair) = (&arguments.since, arguments.mode) else {
            if arguments.since.is_some() {
                return Err(refuse(
                    "--since and --until go with --mode repair.".to_owned(),
                ));
            }
            return Ok(None);
        };
        let zone = zone_named(zone)?;
        let since = instant("--since", since, &zone)?;
        let until = arguments
            .until
            .as_deref()
            .map(|until| instant("--until", until, &zone))
            .transpose()?;
        if until.is_some_and(|until| until <= since) {
            return Err(refuse(
                "--until is not after --since, so there is nothing between.".to_owned(),
            ));
        }
        for definition in chosen {
            check(definition, until.is_some())?;
        }
        Ok(Some(Self {
            since: since.to_string(),
            until: until.map(|until| until.to_string()),
        }))
    }

    /// What the job reads.
    pub fn range<'a>(repair: Option<&'a Self>, mode: Mode) -> ReadRange<'a> {
        match (repair, mode) {
            (Some(repair), _) => ReadRange::Repair {
                since: &repair.since,
                until: repair.until.as_deref(),
            },
            (None, Mode::Full) => ReadRange::Full,
            (None, _) => ReadRange::Incremental,
        }
    }
}

fn check(definition: &Definition, with_end: bool) -> anyhow::Result<()> {
    let name = definition.name();
    match definition.module.fetch.range() {
        (None, ..) => Err(refuse(format!(
            "`{name}` declares no `since` filter and no window, so no range of it can be read. Use --mode full, or name other modules."
        ))),
        (_, None, _) if with_end => Err(refuse(format!(
            "`{name}` can be asked from an instant on, but not up to one: its `since` block names no `until` variable. Leave --until out."
        ))),
        _ => Ok(()),
    }
}

/// An instant as written, or the beginning of a day in the account's zone; whole seconds.
fn instant(option: &str, text: &str, zone: &TimeZone) -> anyhow::Result<Timestamp> {
    let read = text.parse::<Timestamp>().or_else(|_| {
        let day: Date = text.parse()?;
        Ok::<_, jiff::Error>(day.to_zoned(zone.clone())?.timestamp())
    });
    let read = read.and_then(|at| Timestamp::from_second(at.as_second()));
    read.map_err(|_| {
        refuse(format!(
            "{option} {text} is neither an instant such as 2026-05-01T00:00:00Z nor a day such as 2026-05-01."
        ))
    })
}

fn refuse(why: String) -> anyhow::Error {
    UsageError(why).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_days_are_read() {
        let zone = zone_named("America/Montreal").expect("a zone");
        let cases = [
            ("2026-05-01T00:00:00Z", Some("2026-05-01T00:00:00Z")),
            ("2026-05-01T00:00:00.9-04:00", Some("2026-05-01T04:00:00Z")),
            ("2026-05-01", Some("2026-05-01T04:00:00Z")),
            ("2026-01-01", Some("2026-01-01T05:00:00Z")),
            ("yesterday", None),
            ("2026-13-01", None),
        ];
        for (text, expected) in cases {
            let read = instant("--since", text, &zone).map(|at| at.to_string());
            assert_eq!(read.ok().as_deref(), expected, "{text}");
        }
    }
}
