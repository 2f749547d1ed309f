//! How a stream may be divided into parts that are read side by side.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::path::Path;
use super::problem::ModuleError;
use super::resolve::{Place, did_you_mean, require_selected};
use super::spec::{Bound, FetchSpec, Style};
use crate::schema::QueryDocument;

/// More parts than this make no source faster.
const MOST: u16 = 16;

/// `divide` as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DivideFile {
    pub into: u16,
    pub at: Path,
    pub variable: Option<String>,
    pub until: Option<String>,
    #[serde(rename = "as")]
    pub scale: Option<Scale>,
    pub from: Value,
    pub to: Option<Value>,
}

/// What a stream is divided by, and how the source wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// A time, told in RFC 3339 in UTC.
    Instant,
    /// A time, told as its day in UTC.
    Date,
    /// A whole number, such as an id.
    Number,
}

/// A stream divided by a value that each of its records has. Values are seconds of Unix time, or whole
/// numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divide {
    /// Into how many parts.
    pub into: u16,
    /// Path in the record to the value.
    pub at: Path,
    /// The query variable that takes a part's lower end.
    pub variable: String,
    /// The query variable that takes its upper end.
    pub until: String,
    /// What the value is.
    pub scale: Scale,
    /// From here the parts are measured; what lies before belongs to the first.
    pub from: i64,
    /// Up to here, else to now; what lies behind belongs to the last.
    pub to: Option<i64>,
}

impl Scale {
    /// A record's value as it came; `None` where it is none.
    pub(crate) fn read(self, text: &str) -> Option<i64> {
        if self == Self::Number {
            return text.parse().ok();
        }
        let midnight = |day: Date| day.to_zoned(TimeZone::UTC).map(|at| at.timestamp());
        let at = text
            .parse::<Timestamp>()
            .or_else(|_| text.parse::<Date>().and_then(midnight));
        Some(at.ok()?.as_second())
    }

    /// The value as the source wants it.
    pub(crate) fn write(self, value: i64) -> Value {
        let instant = || {
            Timestamp::from_second(value)
                .unwrap_or_default()
                .to_string()
        };
        match self {
            Self::Instant => instant().into(),
            Self::Date => Bound::Date.form(&instant()).into(),
            Self::Number => value.into(),
        }
    }

    /// How far beyond its ends a part is asked for, so that nothing is missed whether the source counts the
    /// ends in or not and, for days, wherever its days begin.
    pub(crate) fn step(self) -> i64 {
        match self {
            Self::Instant | Self::Number => 1,
            Self::Date => 2 * 86_400,
        }
    }

    /// How far beyond what was asked for an answer may lie before it is no answer to that.
    pub(crate) fn slack(self) -> i64 {
        match self {
            Self::Instant | Self::Date => 2 * 86_400,
            Self::Number => 0,
        }
    }
}

/// Says what of `divide` is wrong, at the line of one of its keys.
type Fault<'f> = &'f dyn Fn(&str, String, &str) -> ModuleError;

/// The division that `fetch` declares. Its variables are those of the range where it names none.
pub(super) fn divide_of(
    entry: DivideFile,
    document: &QueryDocument,
    spec: &FetchSpec,
    place: &Place<'_>,
) -> Result<Divide, ModuleError> {
    let fault = |key: &str, problem: String, remedy: &str| {
        place.fault(&["fetch", "divide", key], problem, remedy.to_owned())
    };
    if !(2..=MOST).contains(&entry.into) {
        let problem = format!("a stream cannot be divided into {} parts", entry.into);
        let remedy = format!("Write a number from 2 to {MOST}, or leave `divide` out.");
        return Err(fault("into", problem, &remedy));
    }
    let at = spec.connection.join(&spec.nodes).join(&entry.at);
    require_selected(document, &at, &["fetch", "divide", "at"], place)?;
    if spec.total.is_none() || spec.paging.style == Style::List {
        return Err(fault(
            "divide",
            "a divided stream needs pages and a count: a record that belongs to no part shows in nothing but the source's own number".to_owned(),
            "Select `totalCount`, or name the count with `total`; or leave `divide` out.",
        ));
    }
    let (since, until, bound) = spec.range();
    let scale = entry.scale.unwrap_or(match bound {
        Bound::Instant => Scale::Instant,
        Bound::Date => Scale::Date,
    });
    let (from, to) = ends_of(scale, &entry.from, entry.to.as_ref(), &fault)?;
    Ok(Divide {
        into: entry.into,
        variable: variable_of(entry.variable.as_deref().or(since), document, &fault)?,
        until: variable_of(entry.until.as_deref().or(until), document, &fault)?,
        at: entry.at,
        scale,
        from,
        to,
    })
}

fn variable_of(
    name: Option<&str>,
    document: &QueryDocument,
    fault: Fault<'_>,
) -> Result<String, ModuleError> {
    let Some(name) = name else {
        let problem = "nothing says which variables take the two ends of a part".to_owned();
        let remedy = "Add `variable:` and `until:` to `divide`, or to a `since` or `window` block.";
        return Err(fault("divide", problem, remedy));
    };
    let declared = document.variables();
    if !declared.contains(&name) {
        let problem = format!("the query does not declare `${name}`");
        let remedy = did_you_mean(name, &declared, "Declare it in the query.");
        return Err(fault("divide", problem, &remedy));
    }
    Ok(name.to_owned())
}

fn ends_of(
    scale: Scale,
    from: &Value,
    to: Option<&Value>,
    fault: Fault<'_>,
) -> Result<(i64, Option<i64>), ModuleError> {
    let read = |key: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        scale.read(&text).ok_or_else(|| {
            let remedy = match scale {
                Scale::Number => "Write a whole number.",
                _ => "Write a day such as `2011-01-01`, or an instant.",
            };
            fault(
                key,
                format!("parts cannot be measured from `{text}`"),
                remedy,
            )
        })
    };
    let from = read("from", from)?;
    let Some(to) = to else {
        return match scale {
            Scale::Number => {
                let problem = "numbers have no end by themselves".to_owned();
                Err(fault(
                    "from",
                    problem,
                    "Add `to:`, about the highest there is.",
                ))
            }
            _ => Ok((from, None)),
        };
    };
    let to = read("to", to)?;
    if to <= from {
        let problem = "`to` does not lie behind `from`".to_owned();
        return Err(fault("to", problem, "Correct one of them."));
    }
    Ok((from, Some(to)))
}
