//! Schema changes and field variants, read from the values of their switches.

use serde_json::Value;

use super::{FaultName, FaultSpec};

/// One change of the schema.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Drift {
    Added {
        parent: String,
        field: String,
        named: String,
        value: Value,
    },
    Removed {
        parent: String,
        field: String,
    },
    Renamed {
        parent: String,
        field: String,
        to: String,
    },
    Retyped {
        parent: String,
        field: String,
        to: String,
    },
}

impl Drift {
    /// The change a switch stands for: `Type.field`, `Type.field:Scalar` or `Type.field:newName`; none for
    /// other switches.
    pub(crate) fn read(spec: &FaultSpec) -> Option<Result<Drift, String>> {
        let parse = |wants_target: bool| {
            let text = spec.value.as_str().unwrap_or_default();
            let (path, target) = text.split_once(':').unwrap_or((text, ""));
            match path.split_once('.') {
                Some((parent, field)) if !wants_target || !target.is_empty() => {
                    Ok((parent.to_owned(), field.to_owned(), target.to_owned()))
                }
                _ => Err(format!(
                    "{} needs a value like {}",
                    spec.name.as_str(),
                    if wants_target {
                        "PrivatePiano.year:String"
                    } else {
                        "PrivatePiano.year"
                    }
                )),
            }
        };
        Some(match spec.name {
            FaultName::FieldAdded => parse(true).map(|(parent, field, named)| {
                let value = match named.as_str() {
                    "Int" => 42.into(),
                    "Boolean" => true.into(),
                    _ => "new in this version".into(),
                };
                Drift::Added {
                    parent,
                    field,
                    named,
                    value,
                }
            }),
            FaultName::FieldRemoved => {
                parse(false).map(|(parent, field, _)| Drift::Removed { parent, field })
            }
            FaultName::FieldRenamed => {
                parse(true).map(|(parent, field, to)| Drift::Renamed { parent, field, to })
            }
            FaultName::FieldRetyped => {
                parse(true).map(|(parent, field, to)| Drift::Retyped { parent, field, to })
            }
            _ => return None,
        })
    }

    pub(crate) fn parent(&self) -> &str {
        match self {
            Drift::Added { parent, .. }
            | Drift::Removed { parent, .. }
            | Drift::Renamed { parent, .. }
            | Drift::Retyped { parent, .. } => parent,
        }
    }

    pub(crate) fn field(&self) -> &str {
        match self {
            Drift::Added { field, .. }
            | Drift::Removed { field, .. }
            | Drift::Renamed { field, .. }
            | Drift::Retyped { field, .. } => field,
        }
    }
}

/// How a masked field is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Absent,
    Null,
    Empty,
}

/// A field answered otherwise than the record has it.
#[derive(Debug, Clone)]
pub(crate) struct Mask {
    field: String,
    pub(crate) variant: Variant,
}

impl Mask {
    /// The masks of a switch whose value is `Type.field` or a list of them; the default is the tags of
    /// clients.
    pub(crate) fn read(value: &Value, variant: Variant) -> Vec<Mask> {
        let one = |field: &str| Mask {
            field: field.to_owned(),
            variant,
        };
        match value {
            Value::String(field) => vec![one(field)],
            Value::Array(fields) => fields.iter().filter_map(Value::as_str).map(one).collect(),
            _ => vec![one("PrivateClient.tags")],
        }
    }

    pub(crate) fn covers(&self, parent: &str, field: &str) -> bool {
        self.field
            .split_once('.')
            .is_some_and(|(own_parent, own_field)| own_parent == parent && own_field == field)
    }
}
