//! The filters of clients, pianos, events, invoices and estimates.

use std::cmp::Ordering;

use serde_json::Value;

use super::root::{Refusal, capitalised};
use crate::{
    data::Map,
    store::{Kind, Store},
};

/// What a filter asks of a record.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// The field is one of the values.
    In(&'static str),
    /// The field is the value.
    Is(&'static str),
    /// The field is none of the values.
    NotIn(&'static str),
    /// The field, read as a date, an instant or a number, is the value or later.
    From(&'static str),
    /// The field is the value or earlier.
    UpTo(&'static str),
    /// The text holds one of the values.
    Holds(&'static str),
    /// The field is present when the value is true, missing when it is false.
    Has(&'static str),
    AnyTag,
    AllTags,
    NoTag,
    /// The search text, ids included, holds the value.
    Search,
    /// One of the event's pianos is among the values.
    EventPiano,
}

/// One filter with its value.
#[derive(Debug)]
pub(crate) struct Test {
    rule: Rule,
    value: Value,
}

fn rule(kind: Kind, name: &str) -> Option<Rule> {
    use Rule::*;
    let shared = match name {
        "search" => Some(Search),
        "status" => Some(In("status")),
        "anyTags" => Some(AnyTag),
        "allTags" => Some(AllTags),
        "excludeTags" => Some(NoTag),
        "createdGet" => Some(From("createdAt")),
        "createdLet" => Some(UpTo("createdAt")),
        "hasTimelineActivityGet" => Some(From("$lastActivity")),
        "hasTimelineActivityLet" => Some(UpTo("$firstActivity")),
        _ => None,
    };
    shared.or_else(|| {
        Some(match (kind, name) {
            (Kind::Client, "clientType") => In("clientType"),
            (Kind::Client, "preferredTechnicianId" | "preferredTechnicianIds") => {
                In("preferredTechnicianId")
            }
            (Kind::Client, "region") => In("region"),
            (Kind::Client, "municipality") => In("defaultContact.defaultLocation.municipality"),
            (Kind::Client, "postCode") => In("defaultContact.defaultLocation.postalCode"),
            (Kind::Client, "referredBy") => In("referredBy"),
            (Kind::Client, "contactsWithEmail") => Has("defaultContact.defaultEmail"),
            (Kind::Client, "contactsWithPhone") => Has("defaultContact.defaultPhone"),
            (Kind::Client, "primaryContactWantsEmail") => Is("defaultContact.wantsEmail"),
            (Kind::Client, "primaryContactWantsText") => Is("defaultContact.wantsText"),
            (Kind::Client, "primaryContactWantsPhone") => Is("defaultContact.wantsPhone"),
            (Kind::Client, "hasBadAddress") => Is("defaultContact.defaultLocation.isBadAddress"),
            (Kind::Piano, "clientId") => Is("client"),
            (Kind::Piano, "excludePianoIds") => NotIn("id"),
            (Kind::Piano, "type") => In("type"),
            (Kind::Piano, "make") => In("make"),
            (Kind::Piano, "serialNumber") => Holds("serialNumber"),
            (Kind::Piano, "yearGet") => From("year"),
            (Kind::Piano, "yearLet") => UpTo("year"),
            (Kind::Piano, "consignment") => Is("consignment"),
            (Kind::Piano, "rental") => Is("rental"),
            (Kind::Piano, "lastTunedGet") => From("calculatedLastService"),
            (Kind::Piano, "lastTunedLet") => UpTo("calculatedLastService"),
            (Kind::Piano, "nextTuningDueGet") => From("calculatedNextService"),
            (Kind::Piano, "nextTuningDueLet") => UpTo("calculatedNextService"),
            (Kind::Piano, "hasBeenTuned") => Has("calculatedLastService"),
            (Kind::Piano, "hasServiceInterval") => Has("serviceIntervalMonths"),
            (Kind::Piano, "hasPianoLifeSaverInstalled") => Is("damppChaserInstalled"),
            (Kind::Piano, "hasPlayerInstalled") => Is("playerInstalled"),
            (Kind::Event, "startOn" | "dateGet") => From("start"),
            (Kind::Event, "endOn" | "dateLet") => UpTo("start"),
            (Kind::Event, "clientId") => In("client"),
            (Kind::Event, "pianoId") => EventPiano,
            (Kind::Event, "userId") => In("user"),
            (Kind::Event, "type") => In("type"),
            (Kind::Event, "appointmentIsConfirmed") => Is("confirmedByClient"),
            (Kind::Invoice | Kind::Estimate, "clientId") => Is("client"),
            (Kind::Estimate, "pianoId") => Is("piano"),
            (Kind::Invoice, "archived") => Is("archived"),
            (Kind::Estimate, "archived") => Is("isArchived"),
            (Kind::Invoice, "invoiceDateGet") => From("createdAt"),
            (Kind::Invoice, "invoiceDateLet") => UpTo("createdAt"),
            (Kind::Invoice, "dueDateGet") => From("dueOn"),
            (Kind::Invoice, "dueDateLet") => UpTo("dueOn"),
            (Kind::Invoice, "totalGet") => From("total"),
            (Kind::Invoice, "totalLet") => UpTo("total"),
            (Kind::Invoice, "invoiceIds") => In("id"),
            (Kind::Invoice, "createdBy") | (Kind::Estimate, "createdById") => In("createdBy"),
            (Kind::Invoice, "assignedTo") | (Kind::Estimate, "assignedToId") => In("assignedTo"),
            (Kind::Estimate, "expiresGet") => From("expiresOn"),
            (Kind::Estimate, "expiresLet") => UpTo("expiresOn"),
            (Kind::Estimate, "recommendedTierTotalGet") => From("recommendedTierTotal"),
            (Kind::Estimate, "recommendedTierTotalLet") => UpTo("recommendedTierTotal"),
            _ => return None,
        })
    })
}

/// The tests that the given filters stand for; null filters ask nothing.
pub(crate) fn tests(kind: Kind, given: &Map) -> Result<Vec<Test>, Refusal> {
    given
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let rule = rule(kind, name).ok_or_else(|| {
                format!("The stand-in does not honour the filter `{name}`; leave it out.")
            })?;
            let dated = matches!(rule, Rule::From(_) | Rule::UpTo(_)) && value.is_string();
            let value = if dated {
                date_or_instant(name, value.as_str().unwrap_or_default())?.into()
            } else {
                value.clone()
            };
            Ok(Test { rule, value })
        })
        .collect()
}

/// An instant argument in seconds, or the vendor's French complaint.
pub(crate) fn instant(name: &str, text: &str) -> Result<i64, Refusal> {
    let normal = date_or_instant(name, text)?;
    let full = if normal.len() == 10 {
        format!("{normal}T00:00:00Z")
    } else {
        normal
    };
    Ok(full
        .parse::<jiff::Timestamp>()
        .map_or(0, |at| at.as_second()))
}

fn date_or_instant(name: &str, text: &str) -> Result<String, Refusal> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(at.to_string());
    }
    let day = text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok();
    if day {
        Ok(text.to_owned())
    } else {
        Err(format!("{} n'est pas une date valide", capitalised(name)))
    }
}

/// The value at a dotted path of a record.
pub(crate) fn at<'a>(map: &'a Map, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let value = map.get(first).filter(|value| !value.is_null())?;
    if rest.is_empty() {
        Some(value)
    } else {
        at(value.as_object()?, rest)
    }
}

/// Numbers by size, the rest as text, missing values last.
pub(crate) fn order(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, _) => Ordering::Greater,
        (_, None) => Ordering::Less,
        (Some(a), Some(b)) => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a
                .as_str()
                .unwrap_or_default()
                .cmp(b.as_str().unwrap_or_default()),
        },
    }
}

impl Test {
    pub(crate) fn passes(&self, store: &Store, map: &Map) -> bool {
        let among = |value: Option<&Value>| {
            value.is_some_and(|value| {
                self.value
                    .as_array()
                    .is_some_and(|wanted| wanted.contains(value))
            })
        };
        let has_tag = |tag: &Value| {
            map.get("tags")
                .and_then(Value::as_array)
                .is_some_and(|tags| tags.contains(tag))
        };
        let mut wanted = self.value.as_array().into_iter().flatten();
        match self.rule {
            Rule::In(path) => among(at(map, path)),
            Rule::NotIn(path) => !among(at(map, path)),
            Rule::Is(path) => {
                at(map, path) == Some(&self.value)
                    || (self.value == Value::Bool(false) && at(map, path).is_none())
            }
            Rule::From(path) => self.compare(at(map, path)).is_some_and(Ordering::is_ge),
            Rule::UpTo(path) => self.compare(at(map, path)).is_some_and(Ordering::is_le),
            Rule::Holds(path) => at(map, path).and_then(Value::as_str).is_some_and(|text| {
                wanted.any(|part| text.contains(part.as_str().unwrap_or("\0")))
            }),
            Rule::Has(path) => at(map, path).is_some() == (self.value == Value::Bool(true)),
            Rule::AnyTag => wanted.any(has_tag),
            Rule::AllTags => wanted.all(has_tag),
            Rule::NoTag => !wanted.any(has_tag),
            Rule::Search => self.is_found(store, map),
            Rule::EventPiano => {
                let pianos = map.get("allEventPianos").and_then(Value::as_array);
                pianos
                    .into_iter()
                    .flatten()
                    .any(|piano| among(piano.get("piano")))
            }
        }
    }

    /// A day is compared with the day of an instant, so that an upper bound includes its whole day.
    fn compare(&self, value: Option<&Value>) -> Option<Ordering> {
        let value = value?;
        Some(match (value.as_str(), self.value.as_str()) {
            (Some(own), Some(bound)) => own.get(..bound.len()).unwrap_or(own).cmp(bound),
            _ => order(Some(value), Some(&self.value)),
        })
    }

    fn is_found(&self, store: &Store, map: &Map) -> bool {
        let needle = self.value.as_str().unwrap_or_default().to_lowercase();
        let own = ["searchString", "id", "title", "notes", "number"]
            .iter()
            .filter_map(|name| map.get(*name));
        let mut texts: Vec<String> = own
            .map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_lowercase)
            })
            .collect();
        if let Some(client) = map
            .get("client")
            .and_then(Value::as_str)
            .and_then(|id| store.find(Kind::Client, id))
        {
            texts.extend(
                store
                    .view(client)
                    .get("searchString")
                    .and_then(Value::as_str)
                    .map(str::to_lowercase),
            );
        }
        texts.iter().any(|text| text.contains(&needle))
    }
}
