//! Checks `divide` of `module.yaml` against the query, and fills in its defaults.

use serde_json::Value;

use super::bound::Bound;
use super::divide::{Divide, DivideFile, Scale};
use super::module_file::{ModuleSource, require_selected};
use super::spec::{FetchSpec, Style};
use crate::diagnostic::Diagnostic;
use crate::nearest::did_you_mean;
use crate::schema::document::QueryDocument;

/// More partitions than this do not make a source faster.
const MOST: u16 = 16;

/// Reports a fault of `divide`, at the line of one of its keys.
type Fault<'f> = &'f dyn Fn(&str, String, &str) -> Diagnostic;

/// Resolves `divide`. Its variables default to those of the range.
pub(super) fn divide_of(
    entry: DivideFile,
    document: &QueryDocument,
    spec: &FetchSpec,
    place: &ModuleSource<'_>,
) -> Result<Divide, Diagnostic> {
    let fault = |key: &str, problem: String, remedy: &str| {
        place.fault(&["fetch", "divide", key], problem, remedy.to_owned())
    };
    if !(2..=MOST).contains(&entry.into) {
        let problem = format!("a stream cannot be divided into {} partitions", entry.into);
        let remedy = format!("Write a number from 2 to {MOST}, or leave `divide` out.");
        return Err(fault("into", problem, &remedy));
    }
    let at = spec.connection.join(&spec.nodes).join(&entry.at);
    require_selected(document, &at, &["fetch", "divide", "at"], place)?;
    if spec.total.is_none() || spec.paging.style == Style::List {
        return Err(fault(
            "divide",
            "a partitioned stream needs pages and a count: only the source's total shows a record that is in no partition".to_owned(),
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
) -> Result<String, Diagnostic> {
    let Some(name) = name else {
        let problem = "no variables are named for the two bounds of a partition".to_owned();
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
) -> Result<(i64, Option<i64>), Diagnostic> {
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
                format!("`{text}` is not a bound for partitions"),
                remedy,
            )
        })
    };
    let from = read("from", from)?;
    let Some(to) = to else {
        return match scale {
            Scale::Number => {
                let problem = "a range of numbers needs an end".to_owned();
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
        let problem = "`to` is not greater than `from`".to_owned();
        return Err(fault("to", problem, "Correct one of them."));
    }
    Ok((from, Some(to)))
}
