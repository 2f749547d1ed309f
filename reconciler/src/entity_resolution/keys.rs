//! The exact match keys of a row.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::definition::KeySpec;

/// The value of a key for one row, as a digest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Key {
    /// The key's label.
    pub label: String,
    /// The first 16 bytes of the SHA-256 of the normal forms.
    pub value: Vec<u8>,
}

/// The keys of a row; `value` returns its columns. A key with an absent, null or meaningless column is left
/// out: unknown never equals unknown.
pub fn keys_of<'v>(specs: &[KeySpec], value: impl Fn(&str) -> Option<&'v Value>) -> Vec<Key> {
    specs
        .iter()
        .filter_map(|spec| key_of(spec, &value))
        .collect()
}

fn key_of<'v>(spec: &KeySpec, value: impl Fn(&str) -> Option<&'v Value>) -> Option<Key> {
    let mut digest = Sha256::new();
    for (index, column) in spec.on.iter().enumerate() {
        let text = match value(column)? {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let form = spec.normal.of(index).of(&text)?;
        digest.update((form.len() as u64).to_be_bytes());
        digest.update(form);
    }
    Some(Key {
        label: spec.label.clone(),
        value: digest.finalize()[..16].to_vec(),
    })
}

/// The value of a key's `distinct` column, if the row has one.
pub(crate) fn distinct_of<'v>(
    spec: &KeySpec,
    value: impl Fn(&str) -> Option<&'v Value>,
) -> Option<String> {
    match value(spec.distinct.as_deref()?)? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
