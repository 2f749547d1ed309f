//! A YAML document in which every value has its path from the root, so that an error can name its line.

use super::error::ContractError;
use super::position::{Place, position_of};
use super::vocabulary;
use serde_norway::{Mapping, Value};

/// A fault whose line is not yet known.
pub(super) struct Fault {
    pub(super) path: Vec<Place>,
    pub(super) at: Option<(usize, usize)>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

impl Fault {
    pub(super) fn into_error(self, file: &str, text: &str) -> ContractError {
        let (line, column) = self.at.unwrap_or_else(|| position_of(text, &self.path));
        ContractError {
            file: file.to_owned(),
            line,
            column,
            problem: self.problem,
            remedy: self.remedy,
        }
    }
}

/// A value of the document and its path.
#[derive(Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    pub(super) path: Vec<Place>,
}

impl<'v> Node<'v> {
    pub(super) fn fault(&self, problem: impl Into<String>, remedy: impl Into<String>) -> Fault {
        Fault {
            path: self.path.clone(),
            at: None,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The value of a key; null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<Node<'v>> {
        let value = self
            .value
            .as_mapping()?
            .get(key)
            .filter(|value| !value.is_null())?;
        Some(Node {
            value,
            path: [self.path.as_slice(), &[Place::Key(key.to_owned())]].concat(),
        })
    }

    pub(super) fn mapping(&self, what: &str, keys: &[&str]) -> Result<&'v Mapping, Fault> {
        let Some(mapping) = self.value.as_mapping() else {
            return Err(self.fault(
                format!("Here stands {what}, and it is not a mapping."),
                "Write it as `key: value` lines.",
            ));
        };
        for key in mapping.keys() {
            let word = key
                .as_str()
                .map_or_else(|| format!("{key:?}"), str::to_owned);
            if !keys.contains(&word.as_str()) {
                let mut path = self.path.clone();
                path.push(Place::Key(word.clone()));
                let remedy = match vocabulary::nearest(&word, keys) {
                    Some(near) => format!(
                        "Write `{near}` if that is meant, else put it below `customProperties`."
                    ),
                    None => "Remove it, or put it below `customProperties`.".to_owned(),
                };
                let problem =
                    format!("`{word}` is not a key of {what} in the Open Data Contract Standard.");
                return Err(Fault {
                    path,
                    at: None,
                    problem,
                    remedy,
                });
            }
        }
        Ok(mapping)
    }

    pub(super) fn items(&self, what: &str) -> Result<Vec<Node<'v>>, Fault> {
        let Some(items) = self.value.as_sequence() else {
            return Err(self.fault(
                format!("Here stands {what}, and it is not a list."),
                "Write it as `- item` lines.",
            ));
        };
        let node = |(index, value)| Node {
            value,
            path: [self.path.as_slice(), &[Place::Item(index)]].concat(),
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    pub(super) fn text(&self, what: &str) -> Result<&'v str, Fault> {
        self.value
            .as_str()
            .ok_or_else(|| self.fault(format!("{what} is not a text."), "Put it in quotes."))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool, Fault> {
        self.get(key).map_or(Ok(false), |node| {
            node.value.as_bool().ok_or_else(|| {
                node.fault(
                    format!("`{key}` is neither true nor false."),
                    "Write `true` or `false` without quotes.",
                )
            })
        })
    }

    pub(super) fn optional_text(&self, key: &str) -> Result<Option<String>, Fault> {
        self.get(key)
            .map(|node| node.text(&format!("`{key}`")).map(str::to_owned))
            .transpose()
    }

    pub(super) fn required_text(
        &self,
        key: &str,
        remedy: &str,
    ) -> Result<(Node<'v>, &'v str), Fault> {
        let node = self
            .get(key)
            .ok_or_else(|| self.fault(format!("`{key}` is missing."), remedy))?;
        let text = node.text(&format!("`{key}`"))?;
        Ok((node, text))
    }
}
